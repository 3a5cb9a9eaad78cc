//! Whose certificates are good, where a file asks for that: `sslverify=yes`, maybe with `sslcafile`.
//!
//! With a virtual host the certificate must be for that name. Without one there is no name to hold
//! it to, so its issuer alone counts, as it did for the old daemon's library.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tokio_rustls::TlsConnector;

/// Whose certificates pass.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) enum Trust {
    #[default]
    Everybody,
    /// The authorities that this system knows, as they were when the first check needed them.
    System,
    /// Those of a file, which is read again when it changes.
    File(PathBuf),
}

/// Settings that were made before; there are as many as a file names.
#[derive(Default)]
pub(super) struct Trusting(Mutex<HashMap<PathBuf, Made>>);

struct Made {
    /// When the file was changed.
    changed: Option<SystemTime>,
    connector: TlsConnector,
}

impl Trusting {
    /// Settings that trust these; `Err` says what we lack.
    pub(super) fn connector(&self, trust: &Trust) -> Result<Option<TlsConnector>, String> {
        let path = match trust {
            Trust::Everybody => return Ok(None),
            Trust::System => Path::new(""),
            Trust::File(path) => path,
        };
        let changed = match trust {
            Trust::File(path) => changed(path),
            Trust::Everybody | Trust::System => None,
        };
        // Nothing that panics runs under the lock.
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = made.get(path).filter(|made| made.changed == changed) {
            return Ok(Some(made.connector.clone()));
        }
        let roots = match trust {
            Trust::File(path) => of_file(path)?,
            Trust::Everybody | Trust::System => of_system()?,
        };
        let connector = connector(roots)?;
        let kept = Made {
            changed,
            connector: connector.clone(),
        };
        made.insert(path.to_owned(), kept);
        Ok(Some(connector))
    }
}

fn changed(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).ok()?.modified().ok()
}

fn of_file(path: &Path) -> Result<RootCertStore, String> {
    let shown = path.display();
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| format!("sslcafile {shown}: {error}"))?;
    let mut roots = RootCertStore::empty();
    let (good, _) = roots.add_parsable_certificates(certificates);
    match good {
        0 => Err(format!("sslcafile {shown} holds no certificate")),
        _ => Ok(roots),
    }
}

fn of_system() -> Result<RootCertStore, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (good, _) = roots.add_parsable_certificates(found.certs);
    match good {
        0 => {
            Err("this system knows no certificate authorities (package ca-certificates)".to_owned())
        }
        _ => Ok(roots),
    }
}

fn connector(roots: RootCertStore) -> Result<TlsConnector, String> {
    let provider = Arc::new(ring::default_provider());
    let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|error| format!("certificate authorities: {error}"))?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has the cipher suites of TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Issuer { inner }))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Takes what an authority has signed; for which name, only where there is one.
#[derive(Debug)]
struct Issuer {
    inner: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for Issuer {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self
            .inner
            .verify_server_cert(certificate, between, name, ocsp, now);
        let nameless = matches!(name, ServerName::IpAddress(_));
        match verified {
            // The chain is judged before the name.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if nameless => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Why a certificate was refused, if that is what ended a handshake.
pub(super) fn refusal(error: &std::io::Error) -> Option<String> {
    let inner = error.get_ref()?.downcast_ref::<Error>()?;
    match inner {
        Error::InvalidCertificate(fault) => Some(match fault {
            CertificateError::UnknownIssuer => "its issuer is not trusted".to_owned(),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "it has expired".to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "it is for another name".to_owned()
            }
            other => other.to_string(),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
