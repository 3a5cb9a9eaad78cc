//! keepalived's checkers as checks of ldirectord.cf.

use super::inherited::{UNKNOWN, shared};
use super::model::{Check, Defaults, Kind, Real};
use super::report::Report;
use super::tree::Statement;

/// Reads one checker of a real server.
pub(super) fn read(real: &mut Real, statement: &Statement, report: &mut Report) {
    let kind = match statement.key() {
        "TCP_CHECK" => Kind::Tcp,
        "HTTP_GET" => page(statement, false, report),
        "SSL_GET" => page(statement, true, report),
        "MISC_CHECK" => Kind::Misc(command(statement)),
        "SMTP_CHECK" => Kind::Smtp,
        "DNS_CHECK" => Kind::Dns(name(statement, report)),
        "PING_CHECK" => Kind::Ping,
        "UDP_CHECK" => {
            let advice = "becomes a ping: ldird has no check that sends a datagram of your own";
            report.remark(&statement.place, statement.shown(), advice);
            Kind::Ping
        }
        "FILE_CHECK" | "BFD_CHECK" => {
            let advice =
                "has no equivalent: write a checkcommand (checktype=external) that looks there";
            report.remark(&statement.place, statement.shown(), advice);
            return;
        }
        _ => {
            report.remark(&statement.place, statement.shown(), UNKNOWN);
            return;
        }
    };
    let mut check = Check {
        place: statement.place.clone(),
        kind,
        port: None,
        defaults: Defaults::default(),
    };
    for inner in statement.statements() {
        word(&mut check, real, inner, report);
    }
    real.checks.push(check);
}

/// What the kinds of checkers have in common.
fn word(check: &mut Check, real: &Real, statement: &Statement, report: &mut Report) {
    if shared(&mut check.defaults, statement, report) {
        return;
    }
    let advice = match statement.key() {
        "connect_port" => {
            check.port = statement.number().and_then(|port| u16::try_from(port).ok());
            None
        }
        "connect_ip" if statement.value() == Some(&real.address) => None,
        "connect_ip" => Some("a real server is checked at its own address"),
        "bindto" | "bind_to" | "bind_port" | "bind_if" | "fwmark" => {
            Some("checks leave from the address that the routes say")
        }
        "host" if check.kind == Kind::Smtp => {
            host(check, real, statement, report);
            None
        }
        key => own_word(&mut check.kind, key, statement),
    };
    if let Some(advice) = advice {
        report.remark(&statement.place, statement.shown(), advice);
    }
}

/// What one kind of checker says; a remark unless it is understood.
fn own_word(kind: &mut Kind, key: &str, statement: &Statement) -> Option<&'static str> {
    match kind {
        Kind::Http { virtualhost, .. } => match key {
            // A url is read with the checker itself.
            "url" | "enable_sni" => None,
            "virtualhost" => {
                let inner = virtualhost.take();
                *virtualhost = inner.or_else(|| statement.value().map(str::to_owned));
                None
            }
            "http_protocol" => Some("requests are HTTP/1.1"),
            "fast_recovery" | "tls_compliant" => {
                Some("not taken over; one good answer is enough here")
            }
            _ => Some(UNKNOWN),
        },
        Kind::Misc(_) => match key {
            "misc_path" => None,
            "misc_dynamic" => Some("exit codes set no weight here: 0 is up, all others are down"),
            "user" => {
                Some("commands are run as the user that ldird has; use setpriv in the command")
            }
            _ => Some(UNKNOWN),
        },
        Kind::Dns(_) => (!matches!(key, "type" | "name")).then_some(UNKNOWN),
        Kind::Smtp if key == "helo_name" => Some("the name in HELO is ldird's own"),
        Kind::Smtp | Kind::Tcp | Kind::Ping | Kind::Nothing => Some(UNKNOWN),
    }
}

/// A `host` block of an SMTP check.
fn host(check: &mut Check, real: &Real, statement: &Statement, report: &mut Report) {
    let find = |key| {
        statement
            .statements()
            .iter()
            .find(|inner| inner.key() == key)
    };
    let elsewhere = find("connect_ip").filter(|ip| ip.value() != Some(&real.address));
    if let Some(ip) = elsewhere {
        let advice = "only the real server's own address is checked";
        report.remark(&ip.place, ip.shown(), advice);
        return;
    }
    if let Some(port) = find("connect_port") {
        check.port = port.number().and_then(|port| u16::try_from(port).ok());
    }
}

/// The first `url` of a web check.
fn page(statement: &Statement, tls: bool, report: &mut Report) -> Kind {
    let urls: Vec<&Statement> = statement
        .statements()
        .iter()
        .filter(|inner| inner.key() == "url")
        .collect();
    for more in urls.iter().skip(1) {
        let advice = "one page is asked for; let it depend on the others, or write a checkcommand";
        report.remark(&more.place, "a second url", advice);
    }
    let (mut request, mut receive, mut virtualhost) = ("/".to_owned(), None, None);
    let first = urls.first().map(|url| url.statements()).unwrap_or_default();
    for inner in first {
        // Several pairs on one line are taken apart.
        let pairs: Vec<&[String]> = if inner.words.len() > 2 && inner.key() == "path" {
            inner.words.chunks(2).collect()
        } else {
            vec![&inner.words]
        };
        for words in pairs {
            let value = words.get(1).map(String::as_str);
            match words.first().map_or("", String::as_str) {
                "path" => value.unwrap_or("/").clone_into(&mut request),
                "virtualhost" => virtualhost = value.map(str::to_owned),
                "regex" => receive = words.get(1).cloned(),
                "status_code" => status(inner, words, report),
                "digest" => {
                    let advice = "ldird looks for a text in the page: put one into receive=\"…\"";
                    report.remark(&inner.place, words.join(" "), advice);
                }
                _ => report.remark(&inner.place, words.join(" "), UNKNOWN),
            }
        }
    }
    Kind::Http {
        tls,
        request,
        receive,
        virtualhost,
    }
}

/// Any status of success is up.
fn status(statement: &Statement, words: &[String], report: &mut Report) {
    let success = |word: &String| {
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        first.starts_with('2') && last.starts_with('2')
    };
    let strange = words.iter().skip(1).any(|word| !success(word));
    if strange {
        let advice = "any status from 200 to 299 is up here and no other; redirects are followed";
        report.remark(&statement.place, words.join(" "), advice);
    }
}

fn command(statement: &Statement) -> String {
    let mut inner = statement.statements().iter();
    let path = inner.rfind(|inner| inner.key() == "misc_path");
    path.map_or_else(String::new, |path| path.values().join(" "))
}

fn name(statement: &Statement, report: &mut Report) -> String {
    let mut name = ".".to_owned();
    for inner in statement.statements() {
        match inner.key() {
            "name" => inner.value().unwrap_or(".").clone_into(&mut name),
            "type" if !matches!(inner.value(), Some("A" | "a")) => {
                let advice = "ldird asks for the address (A) of the name; choose one that has it";
                report.remark(&inner.place, inner.shown(), advice);
            }
            _ => {}
        }
    }
    name
}
