//! Every directive of ldirectord.cf that the old daemon knows: name, shape of its value, default
//! and complaint (specification 1.5 and 1.7).
//!
//! The two tables are the only place where a directive is described; the reader below them and the
//! hints in complaints both come from here.

use super::agent;
use super::framing::{
    certexpirywarn, checkdevice, checkmark, checkpath, checksource, httpstatus, maxresponsetime,
};
use super::given::{At, CheckType, Family, Faults, Given};
use super::options;
use super::real_server;
use super::sync::{syncdaemon, syncgroup};
use super::values::{
    alert_status, checkport, checktype, emailalert, execute, httpmethod, monitorfile, netmask, pe,
    protocol, schedflags, scheduler, service, smtp, supervised, tunnel, virtualhost,
};
use super::words::{
    between_quotes, first_digits, non_empty, tell_typographic, trimmed, typographic,
    without_comment, yes_or_no,
};
use ha_plumbing::Word;

/// One directive.
#[derive(Debug)]
pub(crate) struct Directive {
    pub(crate) name: &'static str,
    /// What holds where the file says nothing.
    pub(crate) default: &'static str,
    /// The old daemon's complaint about a wrong value.
    fault: &'static str,
    value: Value,
    /// Nothing at all may stand behind `=`, and means nothing.
    may_be_empty: bool,
}

/// The shape of a value, and where it goes.
#[derive(Debug)]
enum Value {
    YesNo(Slot<bool>),
    /// The first digits anywhere in the value.
    Number {
        zero: Zero,
        slot: Slot<u32>,
    },
    /// In double quotes.
    Quoted(Slot<String>),
    /// With or without double quotes around it.
    MaybeQuoted(Slot<String>),
    /// Everything to the end of the line.
    Raw(Slot<String>),
    /// Its own grammar.
    Own {
        argument: &'static str,
        read: fn(&mut Given, Word<'_>, &mut Faults<'_>),
    },
    /// An error wherever it stands.
    Refused,
}

type Slot<T> = fn(&mut Given) -> &mut Option<At<T>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zero {
    Allowed,
    Refused,
}

const ONE_DIGIT: &str = "a number of seconds, at least 1";
const MILLISECONDS: &str = "milliseconds, at least 50";

/// Directives that stand in the first column.
#[rustfmt::skip]
pub(crate) static GLOBAL: &[Directive] = &[
    number("checktimeout", "5", "invalid check timeout value", |g| &mut g.checktimeout),
    number("negotiatetimeout", "30", "invalid negotiate timeout value", |g| &mut g.negotiatetimeout),
    number("checkinterval", "10", "invalid check interval value", |g| &mut g.checkinterval),
    number("checkcount", "1", "invalid check count value", |g| &mut g.checkcount),
    number("failurecount", "1", "invalid failure count value", |g| &mut g.failurecount),
    own("fallback", "SERVER[:PORT] [gate|masq|ipip]", |g, w, f| real_server::fallback(g, w, f, Family::V4)),
    own("fallback6", "[SERVER][:PORT] [gate|masq|ipip]", |g, w, f| real_server::fallback(g, w, f, Family::V6)),
    raw("fallbackcommand", "invalid fallback command", |g| &mut g.fallbackcommand),
    yes_no("fallbackcommandstop", "no", "fallbackcommandstop must be 'yes' or 'no'", |g| &mut g.fallbackcommandstop),
    yes_no("autoreload", "no", "autoreload must be 'yes' or 'no'", |g| &mut g.autoreload),
    quoted("callback", "invalid callback", |g| &mut g.callback).or_nothing(),
    quoted("logfile", "unable to open logfile", |g| &mut g.logfile).default("/var/log/ldirectord.log"),
    own("execute", "CONFIG", execute),
    yes_no("fork", "no", "fork must be 'yes' or 'no'", |g| &mut g.fork),
    own("supervised", "yes|no", supervised),
    yes_no("quiescent", "no", "quiescent must be 'yes' or 'no'", |g| &mut g.quiescent),
    yes_no("readdquiescent", "no", "readdquiescent must be 'yes' or 'no'", |g| &mut g.readdquiescent),
    own("emailalert", "ADDRESS[, ADDRESS]...", emailalert),
    number_or_zero("emailalertfreq", "0", "invalid email alert frequency",
        |g| &mut g.emailalertfreq),
    own("emailalertstatus", "all, none, starting, running, stopping, reloading", alert_status),
    raw("emailalertfrom", "no email from address specified", |g| &mut g.emailalertfrom),
    yes_no("cleanstop", "yes", "cleanstop must be 'yes' or 'no'", |g| &mut g.cleanstop),
    own("smtp", "SERVER[:PORT]", smtp),
    yes_no("standbytable", "no", "standbytable must be 'yes' or 'no'", |g| &mut g.standbytable),
    number("standbyinterval", "checkinterval", "invalid standby interval value", |g| &mut g.standbyinterval),
    raw("maintenancedir", "maintenance directory not specified", |g| &mut g.maintenancedir),
    number("tcptimeout", "the kernel's, 900", "invalid tcp timeout value", |g| &mut g.tcptimeout),
    number("tcpfintimeout", "the kernel's, 120", "invalid tcp fin timeout value", |g| &mut g.tcpfintimeout),
    number("udptimeout", "the kernel's, 300", "invalid udp timeout value", |g| &mut g.udptimeout),
    own("syncdaemon", "INTERFACE", syncdaemon),
    number_or_zero("syncid", "0", "invalid sync id", |g| &mut g.syncid),
    own("syncgroup", "ADDRESS", syncgroup).default("224.0.0.81"),
    number("syncport", "8848", "invalid sync port", |g| &mut g.syncport),
    number("syncttl", "1", "invalid sync ttl", |g| &mut g.syncttl),
    number("syncmaxlen", "as the interface's MTU allows", "invalid sync maxlen", |g| &mut g.syncmaxlen),
    yes_no("sslverify", "no", "sslverify must be 'yes' or 'no'", |g| &mut g.sslverify),
    maybe_quoted("sslcafile", "invalid sslcafile", |g| &mut g.sslcafile).default("the system's"),
    own("checkintervalms", MILLISECONDS, options::checkintervalms),
    own("checktimeoutms", MILLISECONDS, options::checktimeoutms),
    own("negotiatetimeoutms", MILLISECONDS, options::negotiatetimeoutms),
    number("risecount", "1", "invalid rise count", |g| &mut g.risecount),
    yes_no("enforce", "no", "enforce must be 'yes' or 'no'", |g| &mut g.enforce),
    number_or_zero("slowstart", "0", "invalid slowstart", |g| &mut g.slowstart),
    own("panicthreshold", "PERCENT", options::panicthreshold),
    number("panictime", "300", "invalid panictime", |g| &mut g.panictime),
    yes_no("secondopinion", "no", "secondopinion must be 'yes' or 'no'", |g| &mut g.secondopinion),
    number("secondopiniontime", "900", "invalid secondopiniontime", |g| &mut g.secondopiniontime),
    number("reresolve", "none", "invalid reresolve", |g| &mut g.reresolve),
    own("certexpirywarn", "DAYS", certexpirywarn),
    own("checksource", "ADDRESS", checksource),
    own("checkdevice", "INTERFACE", checkdevice),
    own("checkmark", "MARK", checkmark),
    own("agentport", "PORT", agent::agentport),
    own("agentinterval", "SECONDS", agent::agentinterval).default("checkinterval"),
    own("agenttimeout", "SECONDS", agent::agenttimeout).default("checktimeout"),
    quoted("agentsend", "invalid agentsend", |g| &mut g.agentsend),
    refused("timeout", "timeout directive deprecated in favour of checktimeout and negotiatetimeout"),
    refused("connecttimeout", "connecttimeout directive deprecated in favour of negotiatetimeout"),
];

/// Directives of a section.
#[rustfmt::skip]
pub(crate) static SECTION: &[Directive] = &[
    own("real", "ADDRESS[->ADDRESS][:PORT] gate|masq|ipip [WEIGHT] [\"REQUEST\", \"RECEIVE\"] [l:N] [u:N]",
        |g, w, f| real_server::real(g, w, f, Family::V4)),
    own("real6", "[ADDRESS][:PORT] gate|masq|ipip [WEIGHT] [\"REQUEST\", \"RECEIVE\"] [l:N] [u:N]",
        |g, w, f| real_server::real(g, w, f, Family::V6)),
    quoted("request", "no request string specified", |g| &mut g.request).default("\"/\""),
    quoted("receive", "invalid receive string", |g| &mut g.receive),
    own("checktype", CheckType::WORDS, checktype).default("negotiate"),
    maybe_quoted("checkcommand", "invalid check command", |g| &mut g.checkcommand).default("/bin/true"),
    number("checktimeout", "the global one", "invalid check timeout", |g| &mut g.checktimeout),
    number("negotiatetimeout", "the global one", "invalid negotiate timeout", |g| &mut g.negotiatetimeout),
    refused("connecttimeout", "connecttimeout directive deprecated in favour of negotiatetimeout"),
    number("checkcount", "the global one", "invalid check count", |g| &mut g.checkcount),
    number("failurecount", "the global one", "invalid failure count", |g| &mut g.failurecount),
    number("checkinterval", "the global one", "invalid checkinterval", |g| &mut g.checkinterval),
    own("checkintervalms", MILLISECONDS, options::checkintervalms).default("the global one"),
    own("checktimeoutms", MILLISECONDS, options::checktimeoutms).default("the global one"),
    own("negotiatetimeoutms", MILLISECONDS, options::negotiatetimeoutms).default("the global one"),
    number("risecount", "the global one", "invalid rise count", |g| &mut g.risecount),
    yes_no("enforce", "the global one", "enforce must be 'yes' or 'no'", |g| &mut g.enforce),
    number_or_zero("slowstart", "the global one", "invalid slowstart", |g| &mut g.slowstart),
    own("panicthreshold", "PERCENT", options::panicthreshold).default("the global one"),
    number("panictime", "the global one", "invalid panictime", |g| &mut g.panictime),
    yes_no("secondopinion", "the global one", "secondopinion must be 'yes' or 'no'", |g| &mut g.secondopinion),
    number("secondopiniontime", "the global one", "invalid secondopiniontime", |g| &mut g.secondopiniontime),
    own("checkport", "PORT", checkport),
    quoted("login", "invalid login string", |g| &mut g.login),
    quoted("passwd", "invalid password", |g| &mut g.passwd),
    quoted("database", "invalid database", |g| &mut g.database),
    quoted("secret", "invalid secret", |g| &mut g.secret),
    quoted("load", "invalid string for load testing", |g| &mut g.unused),
    own("scheduler", "rr|wrr|lc|wlc|sh|mh|…", scheduler).default("wrr"),
    number_or_zero("persistent", "none", "invalid persistent timeout", |g| &mut g.persistent),
    own("schedflags", "FLAG[,FLAG]", schedflags),
    own("netmask", "255.255.255.0, or a prefix length", netmask),
    own("pe", "sip", pe),
    own("tunnel", "ipip | gue PORT [csum|remcsum] | gre [csum]", tunnel).default("ipip"),
    own("protocol", "tcp|udp|sctp, fwm for a firewall mark", protocol).default("tcp"),
    yes_no("ops", "no", "ops must be 'yes' or 'no'", |g| &mut g.ops),
    own("service", "http|https|none|…", service).default("by port"),
    own("httpmethod", "GET|HEAD", httpmethod).default("GET"),
    own("httpstatus", "CODE[,CODE][,CODE-CODE]...", httpstatus).default("200-299"),
    own("maxresponsetime", "SECONDS", maxresponsetime),
    own("certexpirywarn", "DAYS", certexpirywarn).default("the global one"),
    own("checksource", "ADDRESS", checksource).default("the global one"),
    own("checkdevice", "INTERFACE", checkdevice).default("the global one"),
    own("checkmark", "MARK", checkmark).default("the global one"),
    own("agentport", "PORT", agent::agentport).default("the global one"),
    own("agentinterval", "SECONDS", agent::agentinterval).default("the global one"),
    own("agenttimeout", "SECONDS", agent::agenttimeout).default("the global one"),
    quoted("agentsend", "invalid agentsend", |g| &mut g.agentsend).default("the global one"),
    own("checkpath", "real|vip", checkpath).default("real"),
    own("virtualhost", "\"NAME\"", virtualhost),
    yes_no("sslverify", "the global one", "sslverify must be 'yes' or 'no'", |g| &mut g.sslverify),
    maybe_quoted("sslcafile", "invalid sslcafile", |g| &mut g.sslcafile).default("the global one"),
    own("fallback", "SERVER[:PORT] [gate|masq|ipip]", |g, w, f| real_server::fallback(g, w, f, Family::V4)),
    own("fallback6", "[SERVER][:PORT] [gate|masq|ipip]", |g, w, f| real_server::fallback(g, w, f, Family::V6)),
    maybe_quoted("fallbackcommand", "invalid fallback command", |g| &mut g.fallbackcommand),
    yes_no("quiescent", "the global one", "quiescent must be 'yes' or 'no'", |g| &mut g.quiescent),
    own("emailalert", "ADDRESS[, ADDRESS]...", emailalert),
    number_or_zero("emailalertfreq", "the global one", "invalid email alert frequency",
        |g| &mut g.emailalertfreq),
    own("emailalertstatus", "all, none, starting, running, stopping, reloading", alert_status),
    own("smtp", "SERVER[:PORT]", smtp),
    yes_no("cleanstop", "the global one", "cleanstop must be 'yes' or 'no'", |g| &mut g.cleanstop),
    own("monitorfile", "FILE", monitorfile),
    raw("servicename", "invalid servicename", |g| &mut g.servicename).or_nothing(),
    raw("comment", "invalid comment", |g| &mut g.comment).or_nothing(),
];

const fn row(name: &'static str, fault: &'static str, value: Value) -> Directive {
    Directive {
        name,
        default: "none",
        fault,
        value,
        may_be_empty: false,
    }
}

const fn yes_no(
    name: &'static str,
    default: &'static str,
    fault: &'static str,
    slot: Slot<bool>,
) -> Directive {
    row(name, fault, Value::YesNo(slot)).default(default)
}

const fn number(
    name: &'static str,
    default: &'static str,
    fault: &'static str,
    slot: Slot<u32>,
) -> Directive {
    let zero = Zero::Refused;
    row(name, fault, Value::Number { zero, slot }).default(default)
}

const fn number_or_zero(
    name: &'static str,
    default: &'static str,
    fault: &'static str,
    slot: Slot<u32>,
) -> Directive {
    let zero = Zero::Allowed;
    row(name, fault, Value::Number { zero, slot }).default(default)
}

const fn quoted(name: &'static str, fault: &'static str, slot: Slot<String>) -> Directive {
    row(name, fault, Value::Quoted(slot))
}

const fn maybe_quoted(name: &'static str, fault: &'static str, slot: Slot<String>) -> Directive {
    row(name, fault, Value::MaybeQuoted(slot))
}

const fn raw(name: &'static str, fault: &'static str, slot: Slot<String>) -> Directive {
    row(name, fault, Value::Raw(slot))
}

const fn own(
    name: &'static str,
    argument: &'static str,
    read: fn(&mut Given, Word<'_>, &mut Faults<'_>),
) -> Directive {
    row(name, "", Value::Own { argument, read })
}

const fn refused(name: &'static str, fault: &'static str) -> Directive {
    row(name, fault, Value::Refused)
}

impl Directive {
    const fn or_nothing(mut self) -> Self {
        self.may_be_empty = true;
        self
    }

    const fn default(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }

    /// What may stand after `=`.
    fn argument(&self) -> &'static str {
        match &self.value {
            Value::YesNo(_) => "yes|no",
            Value::Number {
                zero: Zero::Refused,
                ..
            } => ONE_DIGIT,
            Value::Number {
                zero: Zero::Allowed,
                ..
            } => "a number",
            Value::Quoted(_) => "\"TEXT\"",
            Value::MaybeQuoted(_) | Value::Raw(_) => "TEXT",
            Value::Own { argument, .. } => argument,
            Value::Refused => "",
        }
    }

    /// Reads the value into its place. `value` may end in blanks.
    pub(crate) fn read(&self, given: &mut Given, value: Word<'_>, faults: &mut Faults<'_>) {
        let word = trimmed(value);
        match &self.value {
            Value::YesNo(slot) => self.store(given, *slot, yes_or_no(value, faults), word, faults),
            Value::Number { zero, slot } => {
                let number = options::mistaken_milliseconds(self.name, word, faults);
                let number = number.or_else(|| first_digits(word, faults));
                let number = number.filter(|&n| n > 0 || *zero == Zero::Allowed);
                self.store(given, *slot, number, word, faults);
            }
            Value::Quoted(slot) => {
                if let Some(text) = self.unquoted(word, faults) {
                    self.store(given, *slot, non_empty(text), word, faults);
                }
            }
            Value::MaybeQuoted(slot) => {
                tell_typographic(word, faults);
                let text = between_quotes(word).map_or(word.text, |inner| inner.text);
                self.store(given, *slot, non_empty(text), word, faults);
            }
            Value::Raw(slot) => {
                let word = without_comment(word, faults);
                self.store(given, *slot, non_empty(word.text), word, faults);
            }
            // The value of `real` is told apart by its trailing blanks.
            Value::Own { read, .. } => read(given, value, faults),
            Value::Refused => faults.error(word.span, self.fault),
        }
        if self.name == "checkcount" {
            faults.warning(
                value.span,
                "checkcount option is deprecated and slated for removal.  please see 'failurecount'",
            );
        }
    }

    fn store<T>(
        &self,
        given: &mut Given,
        slot: Slot<T>,
        value: Option<T>,
        word: Word<'_>,
        faults: &mut Faults<'_>,
    ) {
        let span = word.span;
        if let Some(value) = value {
            *slot(given) = Some(At { value, span });
        } else if self.may_be_empty {
            *slot(given) = None;
        } else {
            let hint = format!("{}={}", self.name, self.argument());
            faults.error_with(span, self.fault, hint);
        }
    }

    /// The text between the quotes, or all of it where the quotes are forgotten.
    fn unquoted<'a>(&self, word: Word<'a>, faults: &mut Faults<'_>) -> Option<&'a str> {
        if let Some(inner) = between_quotes(word) {
            return Some(inner.text);
        }
        if word.text.contains(typographic) {
            let message = format!("Unknown command {}={}", self.name, word.text);
            let hint = "these are typographic quotes: write plain double quotes";
            faults.error_with(word.span, message, hint);
            return None;
        }
        let word = without_comment(word, faults);
        if word.text.contains('"') {
            let message = format!("Unknown command {}={}", self.name, word.text);
            faults.error_with(
                word.span,
                message,
                "one of the two double quotes is missing",
            );
            return None;
        }
        let message = format!("{}: double quotes are missing", self.name);
        let hint = format!(
            "the old daemon refuses this line; write {}=\"{}\"",
            self.name, word.text
        );
        faults.warning_with(word.span, message, hint);
        Some(word.text)
    }
}

/// The directive of this name among these.
pub(crate) fn find(table: &'static [Directive], name: &str) -> Option<&'static Directive> {
    table.iter().find(|one| one.name == name)
}

/// The name most like a misspelt one, if any is like it.
pub(crate) fn nearest(table: &'static [Directive], name: &str) -> Option<&'static str> {
    let distance = |one: &&Directive| edit_distance(one.name, name);
    let best = table.iter().min_by_key(distance)?;
    (edit_distance(best.name, name) <= 2 && name.len() > 2).then_some(best.name)
}

/// How many letters must change, come or go (Levenshtein). Both are short names.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut left = i + 1;
        let mut next = vec![left];
        for ((&y, &diagonal), &above) in b.iter().zip(&row).zip(row.iter().skip(1)) {
            let changed = diagonal + usize::from(x != y);
            left = changed.min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
