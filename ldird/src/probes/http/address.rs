//! What is asked for, and of whom: the first request of a check and those that redirects make.

use super::Http;
use crate::probes::stream::{host_name, server_name};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::Url;
use rustls::pki_types::ServerName;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// What the file asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Page {
    /// A path on the real server, ready for the request line.
    Here(String),
    /// A real server's own request that names a server itself.
    Elsewhere(Url),
    /// For the real server to fetch, as a proxy; `None` if what the file asks for is no address.
    Through(Option<Url>),
}

impl Page {
    /// `own` is a real server's own request: it may begin with the scheme and name a server, also
    /// behind the slash that the old daemon puts in front.
    pub(super) fn new(tls: bool, request: &[u8], own: bool) -> Result<Self, String> {
        let text = String::from_utf8_lossy(request);
        let bare = text.strip_prefix('/').unwrap_or(&text);
        let scheme = if tls { "https://" } else { "http://" };
        if own && bare.starts_with(scheme) {
            let named = |url: &Url| url.host_str().is_some();
            return match Url::parse(bare).ok().filter(named) {
                Some(url) => Ok(Self::Elsewhere(url)),
                None => Err(format!("request \"{text}\" makes no valid address")),
            };
        }
        Ok(Self::Here(path(request)))
    }

    /// What a proxy is asked for: an address of the web. A real server's own request may be a path,
    /// and is then one of its own.
    pub(super) fn through(proxy: SocketAddr, request: &[u8], own: bool) -> Self {
        let text = String::from_utf8_lossy(request);
        let bare = text.strip_prefix('/').unwrap_or(&text);
        let url = if own && !bare.contains("://") {
            Url::parse(&format!("http://{proxy}{}", path(request)))
        } else {
            Url::parse(bare)
        };
        let web = |url: &Url| url.scheme() == "http" && url.host_str().is_some();
        Self::Through(url.ok().filter(web))
    }
}

/// A path as the request line takes it: with a slash in front, without a fragment, and with
/// everything that the old library escapes escaped.
fn path(request: &[u8]) -> String {
    let request = request.split(|byte| *byte == b'#').next();
    let request = request.unwrap_or_default();
    let mut path = String::from("/");
    for byte in request.strip_prefix(b"/").unwrap_or(request) {
        let plain = byte.is_ascii_alphanumeric() || b";/?:@&=+$,[]-_.!~*'()%".contains(byte);
        if plain {
            path.push(char::from(*byte));
        } else {
            write!(path, "%{byte:02X}").expect("writing to a String succeeds");
        }
    }
    path
}

/// One request of the several that redirects may make.
#[derive(Debug, Clone)]
pub(super) struct Hop<'a> {
    /// For redirects that are relative. `None` for the file's own page: made of it when a redirect
    /// comes, as a check is to be cheap.
    url: Option<Url>,
    pub(super) place: Place,
    /// The path in the request line.
    pub(super) path: Cow<'a, str>,
    /// The `Host` line.
    pub(super) host: Cow<'a, [u8]>,
    pub(super) tls: Option<ServerName<'static>>,
}

/// Where a connection leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    At(SocketAddr),
    Named(String, u16),
}

impl Place {
    /// The address, if it is known.
    pub(super) fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::At(address) => Some(address.ip()),
            Self::Named(..) => None,
        }
    }
}

impl<'a> Hop<'a> {
    /// `None` if what the file says makes no address, which was found when it was read.
    pub(super) fn first(http: &'a Http) -> Option<Self> {
        let host = match &http.virtualhost {
            Some(host) => Cow::from(host),
            None => Cow::from(own_host(http)),
        };
        match &http.page {
            Page::Elsewhere(url) => Some(Self {
                host,
                ..Self::to(http, url.clone())?
            }),
            Page::Through(url) => Self::through(http, url.clone()?),
            Page::Here(path) => {
                let tls = http.tls.then(|| server_name(name(http), http.target.ip()));
                Some(Self {
                    place: Place::At(http.target),
                    path: Cow::from(path),
                    url: None,
                    host,
                    tls,
                })
            }
        }
    }

    /// Where a redirect leads; `None` if that is no place on the web.
    pub(super) fn next(&self, http: &Http, location: &[u8]) -> Option<Self> {
        let location = String::from_utf8_lossy(location);
        let url = match &self.url {
            Some(url) => url.join(location.trim()),
            None => here(http)?.join(location.trim()),
        };
        let url = url.ok()?;
        match &http.page {
            Page::Through(_) if url.scheme() == "http" => Self::through(http, url),
            Page::Through(_) | Page::Here(_) | Page::Elsewhere(_) => Self::to(http, url),
        }
    }

    /// The whole address in the request line (RFC 9112, section 3.2.2), and its host in the `Host`
    /// line.
    fn through(http: &Http, mut url: Url) -> Option<Self> {
        let host = match (url.host_str()?, url.port()) {
            (host, Some(port)) => format!("{host}:{port}"),
            (host, None) => host.to_owned(),
        };
        let hop = url.clone();
        url.set_fragment(None);
        // Who is asked for is told in a line of its own.
        let bare = url.set_username("").and_then(|()| url.set_password(None));
        bare.ok()?;
        Some(Self {
            url: Some(hop),
            place: Place::At(http.target),
            path: Cow::from(String::from(url)),
            host: Cow::from(host.into_bytes()),
            tls: None,
        })
    }

    /// A redirect to the virtual host stays on this real server: through its public address the
    /// check would ask any of them.
    fn to(http: &Http, url: Url) -> Option<Self> {
        let tls = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let host = url.host_str()?;
        let port = url.port_or_known_default()?;
        let bare = host.trim_matches(['[', ']']);
        let address: Option<IpAddr> = bare.parse().ok();
        let here = name(http).is_some_and(|name| name.eq_ignore_ascii_case(host));
        let place = match address {
            Some(address) => Place::At(SocketAddr::new(address, port)),
            None if here && url.port().is_none() && tls == http.tls => Place::At(http.target),
            None if here => Place::At(SocketAddr::new(http.target.ip(), port)),
            None => Place::Named(host.to_owned(), port),
        };
        let ip = address.unwrap_or_else(|| http.target.ip());
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let line = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let named = address.is_none().then_some(host);
        Some(Self {
            place,
            path: Cow::from(path),
            host: Cow::from(line.into_bytes()),
            tls: tls.then(|| server_name(named, ip)),
            url: Some(url),
        })
    }

    /// The value of an `Authorization` line, if the address holds a user (RFC 7617).
    pub(super) fn authorization(&self) -> Option<String> {
        // The file's own page names none.
        let url = self.url.as_ref()?;
        let user = url.username();
        if user.is_empty() && url.password().is_none() {
            return None;
        }
        let password = url.password().unwrap_or_default();
        let plain = [unescaped(user), unescaped(password)].join(&b':');
        Some(format!("Basic {}", BASE64.encode(&plain)))
    }
}

/// The file's own page as an address.
fn here(http: &Http) -> Option<Url> {
    let Page::Here(path) = &http.page else {
        return None;
    };
    let scheme = if http.tls { "https" } else { "http" };
    Url::parse(&format!("{scheme}://{}{path}", http.target)).ok()
}

/// The real server's address as a `Host` line has it, without a port.
fn own_host(http: &Http) -> Vec<u8> {
    match http.target.ip() {
        IpAddr::V4(address) => dotted(address),
        IpAddr::V6(address) => format!("[{address}]").into_bytes(),
    }
}

/// As `to_string` has it, without the machinery of formats: every check needs one.
fn dotted(address: Ipv4Addr) -> Vec<u8> {
    let mut text = Vec::with_capacity("255.255.255.255".len());
    for octet in address.octets() {
        if !text.is_empty() {
            text.push(b'.');
        }
        let digits = [octet / 100, octet / 10 % 10, octet % 10];
        let first = digits.iter().position(|digit| *digit > 0).unwrap_or(2);
        text.extend(digits.iter().skip(first).map(|digit| b'0' + digit));
    }
    text
}

/// The virtual host, if it is a name that TLS can carry.
fn name(http: &Http) -> Option<&str> {
    host_name(http.virtualhost.as_deref())
}

/// Bytes of a text in which `%41` stands for `A`.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let pair = after.get(..2).and_then(|pair| str::from_utf8(pair).ok());
        let code = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let escaped = code.filter(|_| *first == b'%');
        bytes.push(escaped.unwrap_or(*first));
        let skip = if escaped.is_some() { 2 } else { 0 };
        rest = after.get(skip..).unwrap_or_default();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::{dotted, path, unescaped};
    use std::net::Ipv4Addr;

    #[test]
    fn a_path_goes_out_as_the_file_has_it() {
        let rows: [(&[u8], &str); 7] = [
            (b"/test.html", "/test.html"),
            (b"a?u=http://b/c", "/a?u=http://b/c"),
            (b"//a/../b", "//a/../b"),
            (b"/a b\"<>", "/a%20b%22%3C%3E"),
            (b"/caf\xe9", "/caf%E9"),
            (b"/a#b", "/a"),
            (b"", "/"),
        ];
        for (request, expected) in rows {
            assert_eq!(path(request), expected);
        }
    }

    #[test]
    fn users_in_an_address_may_hold_any_byte() {
        assert_eq!(unescaped("a%40b%"), b"a@b%");
    }

    #[test]
    fn an_address_is_written_as_ever() {
        for octet in 0..=255 {
            let address = Ipv4Addr::new(octet, 0, 255 - octet, 7);
            assert_eq!(dotted(address), address.to_string().as_bytes());
        }
    }
}
