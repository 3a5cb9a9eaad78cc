//! What a dns check asks for: a request such as `www.example.com`, `10.0.0.1` or `example.com MX` as
//! questions, with the domains of this machine's `resolv.conf` where the old daemon's library put
//! them.

use hickory_proto::rr::{Name, RecordType};
use std::fmt;
use std::net::IpAddr;
use std::path::Path;

/// Domains that are appended, so many of them; glibc has the same limit.
const DOMAINS_MAX: usize = 6;
/// A resolv.conf that is longer is not read, bytes.
const RESOLV_CONF_MAX_BYTES: u64 = 64 * 1024;

/// A name and a type, of class IN.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Question {
    pub(super) name: Name,
    pub(super) kind: RecordType,
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name.to_ascii(), self.kind)
    }
}

/// What `resolv.conf` says about incomplete names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resolver {
    /// Domains to append, in this order.
    search: Vec<String>,
    /// Names with so many dots are complete.
    ndots: usize,
}

impl Resolver {
    /// A machine without the file appends nothing.
    pub(super) fn of_this_machine() -> Self {
        let path = Path::new("/etc/resolv.conf");
        let short = std::fs::metadata(path).is_ok_and(|file| file.len() <= RESOLV_CONF_MAX_BYTES);
        let text = if short {
            std::fs::read(path).ok()
        } else {
            None
        };
        Self::new(&String::from_utf8_lossy(&text.unwrap_or_default()))
    }

    /// `domain` and `search` replace each other, the last one counts (resolv.conf(5)).
    pub(super) fn new(text: &str) -> Self {
        let mut found = Self {
            search: Vec::new(),
            ndots: 1,
        };
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("domain") => found.search = words.take(1).map(str::to_owned).collect(),
                Some("search") => {
                    found.search = words.take(DOMAINS_MAX).map(str::to_owned).collect();
                }
                Some("options") => {
                    let number = words.find_map(|word| word.strip_prefix("ndots:")?.parse().ok());
                    found.ndots = number.unwrap_or(found.ndots);
                }
                Some(_) | None => {}
            }
        }
        found
    }
}

/// What is asked, one after the other until one has an answer. None if the request is no name.
///
/// One slash in front is not part of the name; an address asks for its name; a type may follow.
pub(super) fn all(request: &[u8], resolver: &Resolver) -> Vec<Question> {
    let text = String::from_utf8_lossy(request.strip_prefix(b"/").unwrap_or(request)).into_owned();
    let mut words = text.split_whitespace();
    let (name, kind) = match (words.next(), words.next(), words.next()) {
        (None, _, _) => ("", None),
        (Some(name), None, _) => (name, None),
        (Some(name), Some(kind), None) => match kind.to_ascii_uppercase().parse() {
            Ok(kind) => (name, Some(kind)),
            Err(_) => return Vec::new(),
        },
        (Some(_), Some(_), Some(_)) => return Vec::new(),
    };
    if let (Ok(address), None) = (name.parse::<IpAddr>(), kind) {
        return vec![Question {
            name: address.into(),
            kind: RecordType::PTR,
        }];
    }
    let names = candidates(name, resolver);
    let names = names.iter().filter_map(|name| absolute(name));
    let kind = kind.unwrap_or(RecordType::A);
    names.map(|name| Question { name, kind }).collect()
}

/// As the old daemon's library has it: a name without a dot is nothing by itself where there are
/// domains; one that ends in a dot or a number is complete.
fn candidates(name: &str, resolver: &Resolver) -> Vec<String> {
    let dots = name.matches('.').count();
    let behind = name.rsplit('.').next().filter(|_| dots > 0);
    let complete = behind.is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    let with = |domain: &String| format!("{name}.{domain}");
    let appends = !name.is_empty() && !name.contains(':') && !complete && dots < resolver.ndots;
    let domains = resolver.search.iter().filter(|_| appends).map(with);
    let alone = (dots > 0 || !appends || resolver.search.is_empty()).then(|| name.to_owned());
    alone.into_iter().chain(domains).collect()
}

/// Of labels of any characters: classless delegations have slashes, services underscores.
fn absolute(name: &str) -> Option<Name> {
    if !name.is_ascii() {
        return Name::from_utf8(format!("{}.", name.trim_end_matches('.'))).ok();
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() {
        return Some(Name::root());
    }
    Name::from_labels(name.split('.').map(str::as_bytes)).ok()
}

#[cfg(test)]
mod tests {
    use super::{Resolver, all};

    fn asked(request: &str, resolv_conf: &str) -> Vec<String> {
        let questions = all(request.as_bytes(), &Resolver::new(resolv_conf));
        questions.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_name_asks_for_its_address() {
        assert_eq!(asked("/www.example.com", ""), ["www.example.com. A"]);
        assert_eq!(asked("www.example.com.", ""), ["www.example.com. A"]);
        assert_eq!(
            asked("/0/25.x.y", ""),
            ["0\\/25.x.y. A"],
            "one slash is ours"
        );
        assert_eq!(asked("_sip.x.y", ""), ["_sip.x.y. A"]);
        assert_eq!(asked("/", ""), [". A"], "the default request");
        assert_eq!(asked("", ""), [". A"]);
    }

    #[test]
    fn k38_an_address_asks_for_its_name() {
        assert_eq!(
            asked("10.0.0.1", "search x.y"),
            ["1.0.0.10.in-addr.arpa. PTR"]
        );
        let nibbles = format!("1.{}8.b.d.0.1.0.0.2.ip6.arpa. PTR", "0.".repeat(23));
        assert_eq!(asked("2001:db8::1", ""), [nibbles]);
    }

    #[test]
    fn a_type_may_follow_the_name() {
        assert_eq!(asked("example.com mx", ""), ["example.com. MX"]);
        assert_eq!(
            asked("/example.com. AAAA", "search x.y"),
            ["example.com. AAAA"]
        );
        assert_eq!(asked("example.com WRONG", ""), Vec::<String>::new());
        assert_eq!(asked("example.com A more", ""), Vec::<String>::new());
    }

    #[test]
    fn domains_are_appended_as_the_old_library_did() {
        let two = "nameserver 192.0.2.1\nsearch a.example b.example\n";
        assert_eq!(asked("www", two), ["www.a.example. A", "www.b.example. A"]);
        assert_eq!(asked("www", ""), ["www. A"]);
        assert_eq!(asked("www.x", two), ["www.x. A"]);
        assert_eq!(asked("www.", two), ["www. A"]);
        let dots = "domain b.example\noptions rotate ndots:2\n";
        assert_eq!(asked("www.x", dots), ["www.x. A", "www.x.b.example. A"]);
        assert_eq!(asked("www", "search a.b\ndomain c.d"), ["www.c.d. A"]);
    }

    #[test]
    fn what_is_no_name_asks_nothing() {
        let long = "a".repeat(64);
        assert_eq!(asked(&long, ""), Vec::<String>::new());
        assert_eq!(asked("a..b", ""), Vec::<String>::new());
    }
}
