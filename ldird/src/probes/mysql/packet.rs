//! The packets of a login and a query as bytes: protocol 41, as MySQL has spoken it since 4.1 and MariaDB
//! always.

use crate::probes::sql::Question;
use ring::digest::{Algorithm, Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};

/// Length and number before each packet.
pub(super) const HEAD_BYTES: usize = 4;
pub(super) const QUIT: [u8; 1] = [1];
const COM_QUERY: u8 = 3;
/// What a server says more of `caching_sha2_password`.
pub(super) const GOOD_SO_FAR: u8 = 3;
pub(super) const WANTS_PASSWORD: u8 = 4;

const CLIENT_MYSQL: u32 = 1;
const CONNECT_WITH_DB: u32 = 8;
const PROTOCOL_41: u32 = 0x200;
const SSL: u32 = 0x800;
const TRANSACTIONS: u32 = 0x2000;
const SECURE_CONNECTION: u32 = 0x8000;
const MULTI_RESULTS: u32 = 0x2_0000;
const PLUGIN_AUTH: u32 = 0x8_0000;
/// What we ask for in any case. Files are not given to servers: `LOCAL_FILES` is not among it.
const OURS: u32 =
    CLIENT_MYSQL | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION | MULTI_RESULTS | PLUGIN_AUTH;
/// The largest packet that we say we take.
const PACKET_BYTES: u32 = 0x00ff_ffff;
/// `utf8_general_ci`, which every server knows.
const UTF8: u8 = 33;

const NATIVE: &str = "mysql_native_password";
const CACHING_SHA2: &str = "caching_sha2_password";
const SHA256_PASSWORD: &str = "sha256_password";
const OLD: &str = "mysql_old_password";
/// Bytes of a nonce; a zero follows it.
const NONCE_BYTES: usize = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Plain,
    Tls,
}

/// What the server says first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Greeting {
    capabilities: u32,
    nonce: Vec<u8>,
    plugin: String,
}

/// Any later packet, as far as it is told apart by its first byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// Rows that were changed.
    Ok(u64),
    Error(u16, String),
    /// The login goes on in the same plugin.
    More(u8),
    /// The login begins again in another plugin.
    Switch {
        plugin: String,
        nonce: Vec<u8>,
    },
    Other,
}

/// What is missing for a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lack {
    Tls,
    Plugin(String),
}

impl Greeting {
    pub(super) fn has_tls(&self) -> bool {
        self.capabilities & SSL != 0
    }
}

/// The server's first packet, or what it says instead.
pub(super) fn greeting(packet: &[u8]) -> Result<Greeting, String> {
    const VERSION: u8 = 10;
    let not = || "this is not MySQL".to_owned();
    if let Reply::Error(_, said) = reply(packet) {
        return Err(said);
    }
    let mut rest = Reader(packet);
    if rest.byte() != Some(VERSION) {
        return Err(not());
    }
    rest.until_zero().ok_or_else(not)?;
    // The number of the connection.
    rest.take(4).ok_or_else(not)?;
    let mut nonce = rest.take(8).ok_or_else(not)?.to_vec();
    rest.byte();
    let low = rest.short().ok_or_else(not)?;
    // Character set and status.
    rest.take(3);
    let high = rest.short().unwrap_or_default();
    // The length of the nonce, and ten bytes of nothing.
    rest.take(11);
    let capabilities = u32::from(high) << 16 | u32::from(low);
    if capabilities & PROTOCOL_41 == 0 || capabilities & SECURE_CONNECTION == 0 {
        return Err("the server is older than MySQL 4.1".to_owned());
    }
    nonce.extend(rest.take(NONCE_BYTES - nonce.len()).ok_or_else(not)?);
    rest.byte();
    let plugin = match capabilities & PLUGIN_AUTH {
        0 => NATIVE.to_owned(),
        // Some versions forget the zero behind it.
        _ => lossy(rest.until_zero().unwrap_or(rest.0)),
    };
    Ok(Greeting {
        capabilities,
        nonce,
        plugin,
    })
}

/// The head of a login, after which TLS begins. MariaDB goes by this one when the login comes.
pub(super) fn tls_request(question: &Question) -> Vec<u8> {
    head(Way::Tls, question)
}

/// In the server's plugin if we know it, else in one that it can switch from.
pub(super) fn login(greeting: &Greeting, way: Way, question: &Question) -> Vec<u8> {
    let offered = [NATIVE, CACHING_SHA2];
    let plugin = offered.into_iter().find(|name| *name == greeting.plugin);
    let plugin = plugin.unwrap_or(NATIVE);
    let proof = proof(plugin, &question.passwd, &greeting.nonce, way);
    let proof = proof.unwrap_or_default();
    let mut packet = head(way, question);
    packet.extend(&question.login);
    packet.push(0);
    packet.push(proof.len() as u8);
    packet.extend(proof);
    if !question.database.is_empty() {
        packet.extend(&question.database);
        packet.push(0);
    }
    packet.extend(plugin.as_bytes());
    packet.push(0);
    packet
}

fn head(way: Way, question: &Question) -> Vec<u8> {
    const RESERVED: [u8; 23] = [0; 23];
    let mut capabilities = OURS;
    if way == Way::Tls {
        capabilities |= SSL;
    }
    if !question.database.is_empty() {
        capabilities |= CONNECT_WITH_DB;
    }
    let mut packet = capabilities.to_le_bytes().to_vec();
    packet.extend(PACKET_BYTES.to_le_bytes());
    packet.push(UTF8);
    packet.extend(RESERVED);
    packet
}

/// That we know the password, as the plugin wants to see it.
pub(super) fn proof(plugin: &str, passwd: &[u8], nonce: &[u8], way: Way) -> Result<Vec<u8>, Lack> {
    match (plugin, way) {
        (NATIVE | CACHING_SHA2, _) if passwd.is_empty() => Ok(Vec::new()),
        (NATIVE, _) => {
            let once = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[passwd]);
            let twice = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[&once]);
            Ok(xor(
                &once,
                &digest(&SHA1_FOR_LEGACY_USE_ONLY, &[nonce, &twice]),
            ))
        }
        (CACHING_SHA2, _) => {
            let once = digest(&SHA256, &[passwd]);
            let twice = digest(&SHA256, &[&once]);
            Ok(xor(&once, &digest(&SHA256, &[&twice, nonce])))
        }
        (SHA256_PASSWORD, Way::Tls) => Ok(password(passwd)),
        (SHA256_PASSWORD, Way::Plain) => Err(Lack::Tls),
        (other, Way::Plain | Way::Tls) => Err(Lack::Plugin(other.to_owned())),
    }
}

/// The password itself: over TLS alone.
pub(super) fn password(passwd: &[u8]) -> Vec<u8> {
    [passwd, &[0]].concat()
}

pub(super) fn query(text: &[u8]) -> Vec<u8> {
    [&[COM_QUERY], text].concat()
}

/// With its length and number in front. Nothing that we say is as long as a packet may be.
pub(super) fn framed(number: u8, payload: &[u8]) -> Vec<u8> {
    let [a, b, c, _] = (payload.len() as u32).to_le_bytes();
    let mut bytes = vec![a, b, c, number];
    bytes.extend(payload);
    bytes
}

pub(super) fn reply(packet: &[u8]) -> Reply {
    let Some((first, rest)) = packet.split_first() else {
        return Reply::Other;
    };
    let mut rest = Reader(rest);
    match first {
        0x00 => Reply::Ok(number(rest.0).unwrap_or_default()),
        0x01 if rest.0.len() == 1 => rest.byte().map_or(Reply::Other, Reply::More),
        0xfe if rest.0.is_empty() => Reply::Switch {
            plugin: OLD.to_owned(),
            nonce: Vec::new(),
        },
        0xfe => {
            let plugin = lossy(rest.until_zero().unwrap_or_default());
            let nonce = rest.0.strip_suffix(&[0]).unwrap_or(rest.0).to_vec();
            Reply::Switch { plugin, nonce }
        }
        0xff => {
            let code = rest.short().unwrap_or_default();
            // A mark and five bytes of SQL state, in all but the first packet of a connection.
            if rest.0.first() == Some(&b'#') {
                rest.take(6);
            }
            Reply::Error(code, lossy(rest.0))
        }
        _ => Reply::Other,
    }
}

/// An integer whose length shows in its first byte.
pub(super) fn number(bytes: &[u8]) -> Option<u64> {
    let (first, rest) = bytes.split_first()?;
    let length = match first {
        ..=0xfa => return Some((*first).into()),
        0xfc => 2,
        0xfd => 3,
        0xfe => 8,
        0xfb | 0xff => return None,
    };
    let digits = rest.get(..length)?.iter().rev();
    Some(digits.fold(0, |sum, byte| (sum << 8) | u64::from(*byte)))
}

fn digest(algorithm: &'static Algorithm, parts: &[&[u8]]) -> Vec<u8> {
    let mut context = Context::new(algorithm);
    for part in parts {
        context.update(part);
    }
    context.finish().as_ref().to_vec()
}

fn xor(one: &[u8], two: &[u8]) -> Vec<u8> {
    one.iter().zip(two).map(|(one, two)| one ^ two).collect()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn short(&mut self) -> Option<u16> {
        let bytes = self.take(2)?;
        Some(u16::from_le_bytes(bytes.try_into().ok()?))
    }

    fn until_zero(&mut self) -> Option<&'a [u8]> {
        let at = self.0.iter().position(|byte| *byte == 0)?;
        let taken = self.take(at);
        self.take(1);
        taken
    }
}

#[cfg(test)]
pub(super) mod tests;
