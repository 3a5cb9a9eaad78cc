//! The services of the negotiate check and the types of checks, each written down once: the parser,
//! the choice of a probe, complaints and help all read these tables.
//!
//! A new check of a service is a file that builds a [`Probe`] from a [`Dialogue`], its line in
//! `kinds!`, and its name in the row here.

use super::{
    Conversation, Dns, FtpCheck, Http, Ldap, Mysql, Pattern, Probe, Radius, Sip, Statuses, Trust,
};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A negotiate check's protocol (specification 1.6).
#[derive(Clone, Copy)]
pub(crate) struct Service {
    pub(crate) name: &'static str,
    /// The port that is its own, 0 for none: it implies the service, and is the check's port where
    /// the file names none.
    pub(crate) port: u16,
    /// Section directives that its check reads.
    pub(crate) fields: &'static [&'static str],
    pub(crate) negotiate: Negotiate,
}

/// What a negotiate check of a service does.
#[derive(Clone, Copy)]
pub(crate) enum Negotiate {
    /// There is nothing to ask: always up.
    Nothing,
    /// Makes the question, or says what is wrong with the request.
    Asks(fn(Dialogue) -> Result<Probe, String>),
    /// A program of the site asks; without one the connect or ping check stands in.
    Missing,
}

/// What the file says about one real server's negotiate check.
#[derive(Debug, Clone)]
pub(crate) struct Dialogue {
    /// The real server and its check port.
    pub(crate) target: SocketAddr,
    /// As the file has it, byte by byte.
    pub(crate) request: Vec<u8>,
    /// The real server's own request, not the section's.
    pub(crate) own: bool,
    /// `None` for no test.
    pub(crate) receive: Option<Arc<Pattern>>,
    pub(crate) virtualhost: Option<Vec<u8>>,
    /// Whose certificates pass, for the services over TLS.
    pub(crate) trust: Trust,
    pub(crate) method: Method,
    /// Which answers of http are up; `None` for those of success.
    pub(crate) statuses: Option<Statuses>,
    /// `None` where the file gives none: what stands in for it is the service's own. The same holds
    /// for the three below.
    pub(crate) login: Option<Vec<u8>>,
    pub(crate) passwd: Option<Vec<u8>>,
    pub(crate) database: Option<Vec<u8>>,
    pub(crate) secret: Option<Vec<u8>>,
    /// The virtual service's protocol is udp, for the services that are spoken over both.
    pub(crate) udp: bool,
    /// The virtual service is a firewall mark, which has no protocol.
    pub(crate) marked: bool,
    /// For the whole check.
    pub(crate) timeout: Duration,
    /// What a check that only reaches may take: the checks of a few services keep to it as well.
    pub(crate) checktimeout: Duration,
}

impl Dialogue {
    /// With nothing said but where to ask and for how long.
    pub(crate) fn new(target: SocketAddr, timeout: Duration) -> Self {
        Self {
            target,
            request: Vec::new(),
            own: false,
            receive: None,
            virtualhost: None,
            trust: Trust::default(),
            method: Method::Get,
            statuses: None,
            login: None,
            passwd: None,
            database: None,
            secret: None,
            udp: false,
            marked: false,
            timeout,
            checktimeout: timeout,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Method {
    Get,
    Head,
}

const WEB: &[&str] = &[
    "request",
    "receive",
    "httpmethod",
    "httpstatus",
    "virtualhost",
];
const LOGIN: &[&str] = &["login", "passwd"];
const DIRECTORY_TLS: &[&str] = &["request", "receive", "login", "passwd", "virtualhost"];
const LOGIN_TLS: &[&str] = &["login", "passwd", "virtualhost"];
const SQL: &[&str] = &["login", "passwd", "database", "request"];
const DIRECTORY: &[&str] = &["request", "receive", "login", "passwd"];

#[cfg(feature = "pgsql")]
const PGSQL: Negotiate = Asks(|dialogue| Ok(super::Pgsql::probe(dialogue)));
#[cfg(not(feature = "pgsql"))]
const PGSQL: Negotiate = Missing;

use Negotiate::{Asks, Missing, Nothing};

impl Service {
    /// In alphabetical order, as the complaint about an unknown one lists them.
    pub(crate) const ALL: &[Self] = &[
        Self::new(
            "dns",
            53,
            &["request", "receive"],
            Asks(|dialogue| Ok(Dns::probe(dialogue))),
        ),
        Self::new("ftp", 21, DIRECTORY, Asks(FtpCheck::probe)),
        Self::new("http", 80, WEB, Asks(Http::plain)),
        Self::new(
            "http_proxy",
            3128,
            WEB,
            Asks(|dialogue| Ok(Http::proxy(dialogue))),
        ),
        Self::new("https", 443, WEB, Asks(Http::secure)),
        Self::new("imap", 143, LOGIN, Asks(Conversation::imap)),
        Self::new("imaps", 993, LOGIN_TLS, Asks(Conversation::imaps)),
        Self::new(
            "ldap",
            389,
            DIRECTORY,
            Asks(|dialogue| Ok(Ldap::plain(dialogue))),
        ),
        Self::new(
            "ldaps",
            636,
            DIRECTORY_TLS,
            Asks(|dialogue| Ok(Ldap::secure(dialogue))),
        ),
        Self::new(
            "mysql",
            3306,
            SQL,
            Asks(|dialogue| Ok(Mysql::probe(dialogue))),
        ),
        Self::new("nntp", 119, &[], Asks(Conversation::nntp)),
        Self::NONE,
        Self::new("oracle", 1521, SQL, Missing),
        Self::new("pgsql", 5432, SQL, PGSQL),
        Self::new("pop", 110, LOGIN, Asks(Conversation::pop)),
        Self::new("pops", 995, LOGIN_TLS, Asks(Conversation::pops)),
        Self::new(
            "radius",
            1812,
            &["login", "passwd", "secret"],
            Asks(|dialogue| Ok(Radius::probe(dialogue))),
        ),
        Self::new(
            "simpletcp",
            0,
            &["request", "receive"],
            Asks(Conversation::simpletcp),
        ),
        Self::new(
            "sip",
            5060,
            &["login"],
            Asks(|dialogue| Ok(Sip::probe(dialogue))),
        ),
        Self::new("smtp", 25, &[], Asks(Conversation::smtp)),
        Self::new("submission", 587, &[], Asks(Conversation::smtp)),
    ];

    /// No protocol: a negotiate check is always positive.
    pub(crate) const NONE: Self = Self::new("none", 0, &[], Nothing);

    const fn new(
        name: &'static str,
        port: u16,
        fields: &'static [&'static str],
        negotiate: Negotiate,
    ) -> Self {
        Self {
            name,
            port,
            fields,
            negotiate,
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.name == name)
    }

    /// Is it spoken over TLS from the start?
    pub(crate) fn is_secure(&self) -> bool {
        matches!(self.name, "https" | "imaps" | "pops" | "ldaps")
    }

    /// Is TLS agreed on inside it, where server and login have it?
    pub(crate) fn may_become_secure(&self) -> bool {
        matches!(self.name, "mysql" | "pgsql")
    }

    /// The service that a virtual service's port implies.
    pub(crate) fn of_port(port: u16) -> Self {
        let found = Self::ALL.iter().find(|one| one.port == port && port > 0);
        found.copied().unwrap_or(Self::NONE)
    }

    /// Every name, as a complaint lists them.
    pub(crate) fn names() -> String {
        let names: Vec<&str> = Self::ALL.iter().map(|one| one.name).collect();
        names.join(", ")
    }
}

/// A name has one row.
impl PartialEq for Service {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Service {}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// How a real server is checked (specification 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CheckType {
    Connect,
    Negotiate,
    Ping,
    Off,
    On,
    External,
    ExternalPerl,
    /// So many connect checks between two negotiate checks; 0: every check negotiates.
    Combined(u32),
}

impl CheckType {
    /// The word of each, and what it does.
    pub(crate) const ALL: &[(&str, Self, &str)] = &[
        ("connect", Self::Connect, "a TCP connection is accepted"),
        (
            "negotiate",
            Self::Negotiate,
            "the service answers a request",
        ),
        ("ping", Self::Ping, "an ICMP echo request is answered"),
        ("on", Self::On, "always up, nothing is asked"),
        ("off", Self::Off, "nothing is asked and nobody serves"),
        ("external", Self::External, "a command says so"),
        ("external-perl", Self::ExternalPerl, "a Perl script says so"),
    ];

    /// A word, or a number for a combined check.
    pub(crate) fn named(word: &str) -> Option<Self> {
        let row = Self::ALL.iter().find(|(name, _, _)| *name == word);
        match row {
            Some((_, kind, _)) => Some(*kind),
            None => word.parse().ok().map(Self::Combined),
        }
    }

    /// Every word, as a hint shows them.
    pub(crate) const WORDS: &str = "connect|negotiate|ping|on|off|external|external-perl|NUMBER";
}

#[cfg(test)]
mod tests {
    use super::{CheckType, Service};

    #[test]
    fn the_hint_has_every_check_type() {
        let words: Vec<&str> = CheckType::ALL.iter().map(|(name, _, _)| *name).collect();
        assert_eq!(format!("{}|NUMBER", words.join("|")), CheckType::WORDS);
        for (word, kind, _) in CheckType::ALL {
            assert_eq!(CheckType::named(word), Some(*kind));
        }
        assert_eq!(CheckType::named("3"), Some(CheckType::Combined(3)));
        assert_eq!(CheckType::named("3x"), None);
    }

    #[test]
    fn a_port_implies_one_service() {
        for service in Service::ALL {
            assert_eq!(Service::named(service.name), Some(*service));
            if service.port > 0 {
                assert_eq!(Service::of_port(service.port), *service);
            }
        }
        assert_eq!(Service::of_port(8080), Service::NONE);
    }
}
