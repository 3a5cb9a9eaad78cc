//! A greeting that offers all of TLS, old and new, to learn what a server would choose (RFC 5246,
//! RFC 8446 section 4.1). Nothing is agreed on: the connection ends after the answer.
//!
//! Owns the bytes of that one message and the reading of its answer; no keys, no secrets.

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The answer up to the key exchange: a chain of certificates stands before it.
const ANSWER_MAX_BYTES: usize = 128 * 1024;
const READ_BYTES: usize = 4096;

/// The kind of record that greetings are in.
const HANDSHAKE: u8 = 22;
const TLS_1_2: u16 = 0x0303;
const TLS_1_3: u16 = 0x0304;

/// Cipher suites: number, name, and whether the library speaks it. In order of preference: what we
/// speak comes first, so that another choice is the server's.
const SUITES: &[(u16, &str, bool)] = &[
    (0x1301, "TLS_AES_128_GCM_SHA256", true),
    (0x1302, "TLS_AES_256_GCM_SHA384", true),
    (0x1303, "TLS_CHACHA20_POLY1305_SHA256", true),
    (0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", true),
    (0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", true),
    (0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", true),
    (0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", true),
    (
        0xcca9,
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        true,
    ),
    (0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", true),
    (0x1304, "TLS_AES_128_CCM_SHA256", false),
    (0x1305, "TLS_AES_128_CCM_8_SHA256", false),
    (0xc0ac, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM", false),
    (0xc0ad, "TLS_ECDHE_ECDSA_WITH_AES_256_CCM", false),
    (0xc0ae, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8", false),
    (0xc0af, "TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8", false),
    (0xc023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", false),
    (0xc024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", false),
    (0xc027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", false),
    (0xc028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", false),
    (0xc009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", false),
    (0xc00a, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", false),
    (0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", false),
    (0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", false),
    (0xc05c, "TLS_ECDHE_ECDSA_WITH_ARIA_128_GCM_SHA256", false),
    (0xc060, "TLS_ECDHE_RSA_WITH_ARIA_128_GCM_SHA256", false),
    (
        0xc072,
        "TLS_ECDHE_ECDSA_WITH_CAMELLIA_128_CBC_SHA256",
        false,
    ),
    (0xc076, "TLS_ECDHE_RSA_WITH_CAMELLIA_128_CBC_SHA256", false),
    (0xc077, "TLS_ECDHE_RSA_WITH_CAMELLIA_256_CBC_SHA384", false),
    (0x009e, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", false),
    (0x009f, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", false),
    (0xccaa, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256", false),
    (0xc09e, "TLS_DHE_RSA_WITH_AES_128_CCM", false),
    (0xc09f, "TLS_DHE_RSA_WITH_AES_256_CCM", false),
    (0x0067, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256", false),
    (0x006b, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256", false),
    (0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA", false),
    (0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA", false),
    (0x0045, "TLS_DHE_RSA_WITH_CAMELLIA_128_CBC_SHA", false),
    (0x0088, "TLS_DHE_RSA_WITH_CAMELLIA_256_CBC_SHA", false),
    (0x00a2, "TLS_DHE_DSS_WITH_AES_128_GCM_SHA256", false),
    (0x0032, "TLS_DHE_DSS_WITH_AES_128_CBC_SHA", false),
    (0x0038, "TLS_DHE_DSS_WITH_AES_256_CBC_SHA", false),
    (0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256", false),
    (0x009d, "TLS_RSA_WITH_AES_256_GCM_SHA384", false),
    (0xc09c, "TLS_RSA_WITH_AES_128_CCM", false),
    (0xc09d, "TLS_RSA_WITH_AES_256_CCM", false),
    (0xc0a0, "TLS_RSA_WITH_AES_128_CCM_8", false),
    (0xc050, "TLS_RSA_WITH_ARIA_128_GCM_SHA256", false),
    (0x003c, "TLS_RSA_WITH_AES_128_CBC_SHA256", false),
    (0x003d, "TLS_RSA_WITH_AES_256_CBC_SHA256", false),
    (0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA", false),
    (0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA", false),
    (0x0041, "TLS_RSA_WITH_CAMELLIA_128_CBC_SHA", false),
    (0x0084, "TLS_RSA_WITH_CAMELLIA_256_CBC_SHA", false),
    (0xc012, "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", false),
    (0x0016, "TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA", false),
    (0x000a, "TLS_RSA_WITH_3DES_EDE_CBC_SHA", false),
    (0x0005, "TLS_RSA_WITH_RC4_128_SHA", false),
];

/// Groups of the key exchange: number, name, and whether the library speaks it.
const GROUPS: &[(u16, &str, bool)] = &[
    (29, "X25519", true),
    (23, "P-256", true),
    (24, "P-384", true),
    (25, "P-521", false),
    (30, "X448", false),
    (26, "brainpoolP256r1", false),
    (27, "brainpoolP384r1", false),
    (28, "brainpoolP512r1", false),
    (256, "ffdhe2048", false),
    (257, "ffdhe3072", false),
    (258, "ffdhe4096", false),
    (22, "secp256k1", false),
];

/// Signatures are not looked at, so every kind will do.
const SIGNATURES: &[u16] = &[
    0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0809, 0x080a, 0x080b, 0x0804, 0x0805, 0x0806, 0x0401,
    0x0501, 0x0601, 0x0303, 0x0203, 0x0301, 0x0201, 0x0402, 0x0302, 0x0202,
];

/// What a server chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Choice {
    version: u16,
    suite: u16,
    /// If it has told.
    group: Option<u16>,
}

impl Choice {
    /// The choice in words, and whether the library speaks all of it.
    fn told(self) -> (String, bool) {
        let row = SUITES.iter().find(|(number, _, _)| *number == self.suite);
        let suite = match row {
            Some((_, name, _)) => (*name).to_owned(),
            None => format!("cipher suite 0x{:04x}", self.suite),
        };
        let version = match self.version {
            0x0300 => "SSL 3.0".to_owned(),
            0x0301 => "TLS 1.0".to_owned(),
            0x0302 => "TLS 1.1".to_owned(),
            TLS_1_2 => "TLS 1.2".to_owned(),
            TLS_1_3 => "TLS 1.3".to_owned(),
            other => format!("TLS version 0x{other:04x}"),
        };
        let text = format!("{version} with {suite}");
        if !row.is_some_and(|(_, _, spoken)| *spoken) || self.version < TLS_1_2 {
            return (text, false);
        }
        let Some(group) = self.group else {
            return (text, true);
        };
        match GROUPS.iter().find(|(number, _, _)| *number == group) {
            Some((_, _, true)) => (text, true),
            Some((_, name, false)) => (format!("{text} over {name}"), false),
            None => (format!("{text} over group {group}"), false),
        }
    }
}

/// How much a greeting offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offer {
    All,
    /// What the library offers.
    Spoken,
}

/// A new connection to the server, on which TLS is to begin.
pub(in crate::probes) trait Open: Future<Output = Option<TcpStream>> {}

impl<F: Future<Output = Option<TcpStream>>> Open for F {}

/// Greets the server; what it chose if we lack that. `None` if it refuses everyone, or takes what
/// we speak: then a failure has other reasons.
pub(super) async fn foreign<O: Open>(
    open: impl Fn() -> O,
    name: &ServerName<'_>,
) -> Option<String> {
    let choice = choice(open(), &greeting(name, random(), Offer::All)).await?;
    let (text, spoken) = choice.told();
    if !spoken {
        return Some(text);
    }
    // Something that is not told in the open, such as the curve of the certificate.
    let ours = greeting(name, random(), Offer::Spoken);
    match self::choice(open(), &ours).await {
        Some(_) => None,
        None => Some(format!(
            "{text}, and a certificate or group of another kind"
        )),
    }
}

/// What the server answers to a greeting; `None` if it refuses.
async fn choice(open: impl Open, greeting: &[u8]) -> Option<Choice> {
    let mut stream = open.await?;
    stream.write_all(greeting).await.ok()?;
    let mut answer = Vec::new();
    loop {
        if let Some(choice) = read(&answer) {
            return Some(choice);
        }
        if answer.first().is_some_and(|kind| *kind != HANDSHAKE) {
            // It refuses, or this is no TLS: there is no end to wait for.
            return None;
        }
        answer.reserve(READ_BYTES);
        let more = answer.len() < ANSWER_MAX_BYTES;
        match stream.read_buf(&mut answer).await {
            Ok(length) if length > 0 && more => {}
            Ok(_) | Err(_) => return server_hello(&handshake(&answer)),
        }
    }
}

fn random() -> [u8; 32] {
    use std::hash::{BuildHasher, RandomState};
    let mut bytes = [0; 32];
    for chunk in bytes.chunks_mut(8) {
        let fresh = RandomState::new().hash_one(0).to_ne_bytes();
        chunk.copy_from_slice(&fresh);
    }
    bytes
}

fn greeting(name: &ServerName<'_>, random: [u8; 32], offer: Offer) -> Vec<u8> {
    let mut body = TLS_1_2.to_be_bytes().to_vec();
    body.extend(random);
    // No session.
    body.push(0);
    body.extend(prefixed(2, &numbers(offered(SUITES, offer))));
    // One method of compression: none.
    body.extend([1, 0]);
    body.extend(prefixed(2, &extensions(name, offer)));
    let mut message = vec![1];
    message.extend(prefixed(3, &body));
    let mut record = vec![HANDSHAKE, 3, 1];
    record.extend(prefixed(2, &message));
    record
}

fn extensions(name: &ServerName<'_>, offer: Offer) -> Vec<u8> {
    let mut all = Vec::new();
    let mut add = |kind: u16, content: &[u8]| {
        all.extend(kind.to_be_bytes());
        all.extend(prefixed(2, content));
    };
    if let ServerName::DnsName(name) = name {
        let mut entry = vec![0];
        entry.extend(prefixed(2, name.as_ref().as_bytes()));
        add(0, &prefixed(2, &entry));
    }
    add(10, &prefixed(2, &numbers(offered(GROUPS, offer))));
    // Points not compressed.
    add(11, &[1, 0]);
    add(13, &prefixed(2, &numbers(SIGNATURES.iter().copied())));
    // Extended master secret, secure renegotiation.
    add(23, &[]);
    add(0xff01, &[0]);
    // Versions 1.3 down to 1.0, or to 1.2. Without a key share a 1.3 server names the group that it
    // wants.
    match offer {
        Offer::All => add(43, &[8, 3, 4, 3, 3, 3, 2, 3, 1]),
        Offer::Spoken => add(43, &[4, 3, 4, 3, 3]),
    }
    add(45, &[1, 1]);
    add(51, &[0, 0]);
    all
}

fn offered(rows: &'static [(u16, &str, bool)], offer: Offer) -> impl Iterator<Item = u16> + use<> {
    let taken = move |spoken: bool| spoken || offer == Offer::All;
    rows.iter()
        .filter(move |(_, _, spoken)| taken(*spoken))
        .map(|(number, _, _)| *number)
}

fn numbers(all: impl Iterator<Item = u16>) -> Vec<u8> {
    all.flat_map(u16::to_be_bytes).collect()
}

/// Content behind its length of so many bytes.
fn prefixed(width: usize, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u32).to_be_bytes();
    let mut bytes = length.get(4 - width..).unwrap_or_default().to_vec();
    bytes.extend(content);
    bytes
}

/// The choice, once the answer tells it whole; a 1.2 server names its group in the key exchange.
fn read(answer: &[u8]) -> Option<Choice> {
    let messages = handshake(answer);
    let choice = server_hello(&messages)?;
    if choice.group.is_some() || !choice.told().1 {
        return Some(choice);
    }
    let mut rest = Cursor(&messages);
    while let Some((kind, body)) = rest.message() {
        match kind {
            // The server's key exchange with a named curve.
            12 => {
                let mut body = Cursor(body);
                let named = body.number(1) == Some(3);
                let group = body.number(2).filter(|_| named);
                return Some(Choice { group, ..choice });
            }
            // Hello done.
            14 => return Some(choice),
            _ => {}
        }
    }
    None
}

/// The handshake messages inside the records; anything else ends them.
fn handshake(answer: &[u8]) -> Vec<u8> {
    let mut rest = Cursor(answer);
    let mut messages = Vec::new();
    while rest.number(1) == Some(HANDSHAKE.into()) {
        let (Some(_), Some(length)) = (rest.number(2), rest.number(2)) else {
            break;
        };
        let length = usize::from(length).min(rest.0.len());
        messages.extend(rest.take(length).unwrap_or_default());
    }
    messages
}

fn server_hello(messages: &[u8]) -> Option<Choice> {
    let (kind, body) = Cursor(messages).message()?;
    if kind != 2 {
        return None;
    }
    let mut body = Cursor(body);
    let mut choice = Choice {
        version: body.number(2)?,
        ..Choice::default()
    };
    body.take(32)?;
    let session = body.number(1)?;
    body.take(session.into())?;
    choice.suite = body.number(2)?;
    body.number(1)?;
    let length = body.number(2).unwrap_or_default();
    let mut extensions = Cursor(body.take(length.into()).unwrap_or_default());
    while let (Some(kind), Some(length)) = (extensions.number(2), extensions.number(2)) {
        let mut content = Cursor(extensions.take(length.into())?);
        match kind {
            43 => choice.version = content.number(2)?,
            51 => choice.group = content.number(2),
            _ => {}
        }
    }
    Some(choice)
}

/// Big-endian numbers and pieces off the front; `None` where bytes are missing.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (piece, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(piece)
    }

    /// One or two bytes.
    fn number(&mut self, width: usize) -> Option<u16> {
        let bytes = self.take(width)?;
        Some(
            bytes
                .iter()
                .fold(0, |sum, byte| (sum << 8) | u16::from(*byte)),
        )
    }

    /// A whole handshake message: its type and content.
    fn message(&mut self) -> Option<(u8, &'a [u8])> {
        let kind = *self.take(1)?.first()?;
        let high = self.number(1)?;
        let low = self.number(2)?;
        let length = (usize::from(high) << 16) | usize::from(low);
        Some((kind, self.take(length)?))
    }
}

#[cfg(test)]
mod tests;
