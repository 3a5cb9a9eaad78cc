//! Every directive of ldirectord.cf that the old daemon knows: name, shape of its value, default,
//! complaint, and whether this release acts on it (specification 1.5 and 1.7).
//!
//! The two tables are the only place where a directive is described; the reader below them and the
//! hints in complaints both come from here.

use super::given::{
    At, CheckType, Family, Faults, Given, Method, Service, first_run, rest, split_word, trimmed,
    word_character,
};
use super::real_server;
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
    support: Support,
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

/// What this release makes of a directive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Support {
    Honoured,
    /// Read and not acted upon, for this reason.
    Later(&'static str),
}

const NO_MAIL: &str = "mail is not sent by this release";
const NO_COMMANDS: &str = "no commands are run by this release";
const ONE_DIGIT: &str = "a number of seconds, at least 1";

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
    raw("fallbackcommand", "invalid fallback command", |g| &mut g.unused).later(NO_COMMANDS),
    yes_no("autoreload", "no", "autoreload must be 'yes' or 'no'", |g| &mut g.autoreload),
    quoted("callback", "invalid callback", |g| &mut g.unused).or_nothing().later(NO_COMMANDS),
    quoted("logfile", "unable to open logfile", |g| &mut g.logfile).default("/var/log/ldirectord.log"),
    raw("execute", "invalid execute", |g| &mut g.unused).or_nothing().later("start the other configuration's director on its own"),
    yes_no("fork", "no", "fork must be 'yes' or 'no'", |g| &mut g.fork),
    own("supervised", "yes|no", supervised),
    yes_no("quiescent", "no", "quiescent must be 'yes' or 'no'", |g| &mut g.quiescent),
    yes_no("readdquiescent", "no", "readdquiescent must be 'yes' or 'no'", |g| &mut g.readdquiescent),
    raw("emailalert", "no email address specified", |g| &mut g.unused).later(NO_MAIL),
    number_or_zero("emailalertfreq", "0", "invalid email alert frequency",
        |g| &mut g.unused_number).later(NO_MAIL),
    own("emailalertstatus", "all, none, starting, running, stopping, reloading", alert_status).later(NO_MAIL),
    raw("emailalertfrom", "no email from address specified", |g| &mut g.unused).later(NO_MAIL),
    yes_no("cleanstop", "yes", "cleanstop must be 'yes' or 'no'", |g| &mut g.cleanstop),
    own("smtp", "SERVER", smtp).later(NO_MAIL),
    raw("maintenancedir", "maintenance directory not specified", |g| &mut g.maintenancedir),
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
    maybe_quoted("checkcommand", "invalid check command", |g| &mut g.unused).default("/bin/true"),
    number("checktimeout", "the global one", "invalid check timeout", |g| &mut g.checktimeout),
    number("negotiatetimeout", "the global one", "invalid negotiate timeout", |g| &mut g.negotiatetimeout),
    refused("connecttimeout", "connecttimeout directive deprecated in favour of negotiatetimeout"),
    number("checkcount", "the global one", "invalid check count", |g| &mut g.checkcount),
    number("failurecount", "the global one", "invalid failure count", |g| &mut g.failurecount),
    number("checkinterval", "the global one", "invalid checkinterval", |g| &mut g.checkinterval),
    own("checkport", "PORT", checkport),
    quoted("login", "invalid login string", |g| &mut g.unused),
    quoted("passwd", "invalid password", |g| &mut g.unused),
    quoted("database", "invalid database", |g| &mut g.unused),
    quoted("secret", "invalid secret", |g| &mut g.unused),
    quoted("load", "invalid string for load testing", |g| &mut g.unused),
    own("scheduler", "rr|wrr|lc|wlc|sh|mh|…", scheduler).default("wrr"),
    number_or_zero("persistent", "none", "invalid persistent timeout", |g| &mut g.persistent),
    own("schedflags", "FLAG[,FLAG]", schedflags),
    own("netmask", "255.255.255.0, or a prefix length", netmask),
    own("protocol", "tcp|udp|sctp, fwm for a firewall mark", protocol).default("tcp"),
    yes_no("ops", "no", "ops must be 'yes' or 'no'", |g| &mut g.ops),
    own("service", "http|https|none|…", service).default("by port"),
    own("httpmethod", "GET|HEAD", httpmethod).default("GET"),
    own("virtualhost", "\"NAME\"", virtualhost),
    own("fallback", "SERVER[:PORT] [gate|masq|ipip]", |g, w, f| real_server::fallback(g, w, f, Family::V4)),
    own("fallback6", "[SERVER][:PORT] [gate|masq|ipip]", |g, w, f| real_server::fallback(g, w, f, Family::V6)),
    maybe_quoted("fallbackcommand", "invalid fallback command", |g| &mut g.unused).later(NO_COMMANDS),
    yes_no("quiescent", "the global one", "quiescent must be 'yes' or 'no'", |g| &mut g.quiescent),
    raw("emailalert", "no email address specified", |g| &mut g.unused).later(NO_MAIL),
    number_or_zero("emailalertfreq", "the global one", "invalid email alert frequency",
        |g| &mut g.unused_number).later(NO_MAIL),
    own("emailalertstatus", "all, none, starting, running, stopping, reloading", alert_status).later(NO_MAIL),
    own("smtp", "SERVER", smtp).later(NO_MAIL),
    yes_no("cleanstop", "the global one", "cleanstop must be 'yes' or 'no'", |g| &mut g.cleanstop),
    maybe_quoted("monitorfile", "invalid monitorfile", |g| &mut g.monitorfile)
        .later("monitor files are not written by this release"),
    raw("servicename", "invalid servicename", |g| &mut g.servicename).or_nothing(),
    raw("comment", "invalid comment", |g| &mut g.unused).or_nothing(),
];

const fn row(name: &'static str, fault: &'static str, value: Value) -> Directive {
    let (default, support) = ("none", Support::Honoured);
    Directive {
        name,
        default,
        fault,
        value,
        support,
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
    const fn later(mut self, reason: &'static str) -> Self {
        self.support = Support::Later(reason);
        self
    }

    const fn or_nothing(mut self) -> Self {
        self.may_be_empty = true;
        self
    }

    const fn default(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }

    pub(crate) fn support(&self) -> Support {
        self.support
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
                let number = first_digits(word, faults);
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

/// From the first quote, which must come first, to the last one.
pub(crate) fn between_quotes(word: Word<'_>) -> Option<Word<'_>> {
    let end = word.text.rfind('"')?;
    (word.text.starts_with('"') && end > 0).then(|| word.part(1..end))
}

pub(crate) fn text(word: Word<'_>) -> At<String> {
    let word = trimmed(word);
    At {
        value: word.text.to_owned(),
        span: word.span,
    }
}

fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Quotes that word processors and web pages put in the place of plain ones.
fn typographic(c: char) -> bool {
    matches!(c, '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}')
}

fn tell_typographic(word: Word<'_>, faults: &mut Faults<'_>) {
    if word.text.contains(typographic) {
        let message = "typographic quotes are a part of the value";
        faults.warning_with(word.span, message, "write plain double quotes");
    }
}

/// A value without the comment behind it, which the old daemon takes for a part of a global value.
fn without_comment<'a>(word: Word<'a>, faults: &mut Faults<'_>) -> Word<'a> {
    let comment = [" #", "\t#"]
        .iter()
        .filter_map(|start| word.text.find(start))
        .min();
    let Some(end) = comment else { return word };
    let message = "the comment behind the value is ignored";
    let hint = "the old daemon takes it for a part of the value";
    faults.warning_with(word.part(end..word.text.len()).span, message, hint);
    trimmed(word.part(0..end))
}

/// `yes` or `no`, perhaps with blanks or a comment behind it.
fn yes_or_no(word: Word<'_>, faults: &mut Faults<'_>) -> Option<bool> {
    let (first, more) = split_word(word);
    let value = match first.text {
        "yes" => true,
        "no" => false,
        _ => return None,
    };
    if !more.text.is_empty() && !more.text.starts_with('#') {
        return None;
    }
    if first.text.len() < word.text.len() {
        let what = if more.text.is_empty() {
            "blanks stand behind the value"
        } else {
            "a comment stands behind the value"
        };
        faults.tolerated(word.span, what);
    }
    Some(value)
}

/// The first run of digits, wherever it stands; anything but a unit around it is told.
fn first_digits(word: Word<'_>, faults: &mut Faults<'_>) -> Option<u32> {
    let (before, digits, after) = first_run(word, |c| c.is_ascii_digit())?;
    let number = digits.text.parse().unwrap_or(u32::MAX);
    let comment = rest(after, 0);
    let usual = matches!(trimmed(after).text, "" | "s") || comment.text.starts_with('#');
    if !before.text.is_empty() || !usual || digits.text.parse::<u32>().is_err() {
        let text = trimmed(word).text;
        faults.warning(word.span, format!("\"{text}\" is read as {number}"));
    }
    Some(number)
}

/// The first run of letters, digits and underscores; what stands around it is told unless it is
/// quotes.
fn first_word<'a>(word: Word<'a>, faults: &mut Faults<'_>) -> Option<Word<'a>> {
    let (before, found, after) = first_run(word, word_character)?;
    tell_around(word, [before, after], found, faults);
    Some(found)
}

fn tell_around(whole: Word<'_>, around: [Word<'_>; 2], read: Word<'_>, faults: &mut Faults<'_>) {
    let quotes = |c: char| c == '"' || super::lines::blank(c);
    let [before, after] = around;
    if !before.text.chars().all(quotes) || !after.text.chars().all(quotes) {
        let message = format!("\"{}\" is read as {}", trimmed(whole).text, read.text);
        faults.warning(whole.span, message);
    }
}

fn supervised(given: &mut Given, value: Word<'_>, faults: &mut Faults<'_>) {
    let span = trimmed(value).span;
    match yes_or_no(value, faults) {
        Some(value) => given.supervised = Some(At { value, span }),
        None => faults.error(span, "supervised must be 'yes' or 'no'"),
    }
}

fn alert_status(_: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    const KNOWN: [&str; 6] = [
        "all",
        "none",
        "starting",
        "running",
        "stopping",
        "reloading",
    ];
    if trimmed(word).text.len() < word.text.len() {
        faults.tolerated(word.span, "blanks stand behind the value");
    }
    let pieces: Vec<Word<'_>> = trimmed(word)
        .split(",")
        .map(|piece| trimmed(rest(piece, 0)))
        .collect();
    let alone = pieces.len() == 1;
    // What follows the last comma may be nothing.
    let end = pieces.iter().rposition(|piece| !piece.text.is_empty());
    for piece in pieces.iter().take(end.map_or(0, |end| end + 1)) {
        let name = piece.text;
        if !KNOWN.contains(&name) {
            faults.error_with(
                piece.span,
                format!("invalid email alert status at: \"{name}\""),
                format!("one of {}", KNOWN.join(", ")),
            );
        }
    }
    if !alone && pieces.iter().any(|piece| piece.text == "none") {
        let other = |piece: &&Word<'_>| !matches!(piece.text, "none" | "");
        let Some(other) = pieces.iter().find(other) else {
            return;
        };
        let name = other.text;
        let message = format!("invalid email alert status: \"{name}\" specified with \"none\"");
        faults.error(word.span, message);
    }
}

fn smtp(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    let word = trimmed(word);
    let name = between_quotes(word).unwrap_or(word);
    let plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    if name.text.starts_with(|c| plain(c) || c == '[') {
        if !word.text.starts_with(plain) {
            faults.tolerated(word.span, format!("smtp is read as {}", name.text));
        }
        given.unused = Some(text(name));
    } else {
        faults.error_with(
            word.span,
            "invalid SMTP server address",
            "smtp=mail.example.org",
        );
    }
}

fn checktype(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    let span = trimmed(word).span;
    let value = checktype_of(trimmed(word), faults);
    match value {
        Some(value) => given.checktype = Some(At { value, span }),
        None => faults.error(
            span,
            "checktype must be \"connect\", \"negotiate\", \"on\", \"off\", \"ping\", \
             \"external\", \"external-perl\" or a positive number",
        ),
    }
}

/// The old daemon takes the first digits anywhere for a combined check. A word that is half a
/// number (`external2`) is none: nobody meant it.
fn checktype_of(word: Word<'_>, faults: &mut Faults<'_>) -> Option<CheckType> {
    let name = |c: char| word_character(c) || c == '-';
    if let Some((before, digits, after)) = first_run(word, |c| c.is_ascii_digit()) {
        let blank = super::lines::blank;
        let glued = before.text.rsplit(blank).next().unwrap_or_default();
        if glued.contains(word_character) || after.text.starts_with(word_character) {
            return None;
        }
        tell_around(word, [before, after], digits, faults);
        return digits.text.parse().ok().map(CheckType::Combined);
    }
    let (before, found, after) = first_run(word, name)?;
    let value = CheckType::named(found.text)?;
    tell_around(word, [before, after], found, faults);
    Some(value)
}

fn checkport(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    let word = trimmed(word);
    let span = word.span;
    match first_digits(word, faults) {
        Some(value @ 1..=65535) => given.checkport = Some(At { value, span }),
        Some(_) => faults.error(span, "checkport must be in range 1..65536"),
        None => faults.error_with(span, "invalid port", "checkport=PORT, 1 to 65535"),
    }
}

/// Longest name of a scheduler, bytes (IP_VS_SCHEDNAME_MAXLEN without its NUL).
const SCHEDULER_MAX_BYTES: usize = 15;

/// What Linux has, up to 6.12; `dh` and its like may be missing from a kernel all the same.
pub(super) const SCHEDULERS: &[&str] = &[
    "rr", "wrr", "lc", "wlc", "fo", "ovf", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "twos",
];

fn scheduler(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    let word = trimmed(word);
    let name = |c: char| word_character(c) || c == '-';
    let found =
        first_run(word, name).filter(|(_, found, _)| found.text.len() <= SCHEDULER_MAX_BYTES);
    let letters =
        found.filter(|(_, found, _)| found.text.contains(|c: char| c.is_ascii_alphabetic()));
    let Some((before, found, after)) = letters else {
        let message = "invalid scheduler, should be only lowercase letters (a-z)";
        return faults.error_with(word.span, message, "e.g. rr, wrr, lc, wlc, sh or mh");
    };
    tell_around(word, [before, after], found, faults);
    let (value, span) = (found.text.to_ascii_lowercase(), found.span);
    // The old daemon ends the name at the first character that is no lowercase letter.
    let old = first_run(found, |c| c.is_ascii_lowercase()).map(|(_, letters, _)| letters.text);
    let known = |name: &str| SCHEDULERS.contains(&name);
    let value = match old.filter(|old| known(old) && !known(&value)) {
        Some(old) => old.to_owned(),
        None => value,
    };
    if value != found.text {
        let message = format!("scheduler \"{}\" is read as {value}", found.text);
        faults.warning_with(span, message, "the old daemon wants lowercase letters");
    }
    if !known(&value) {
        let message = format!("no scheduler of Linux is called \"{value}\"");
        let hint =
            format!("the kernel refuses the virtual service unless it has a module ip_vs_{value}");
        faults.warning_with(span, message, hint);
    }
    given.scheduler = Some(At { value, span });
}

fn schedflags(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    let (flags, _) = split_word(word);
    if flags.text.is_empty() {
        faults.error_with(word.span, "invalid sched-flags", "e.g. schedflags=sh-port");
    } else {
        given.schedflags = Some(text(flags));
    }
}

fn service(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    let span = trimmed(word).span;
    let found = first_word(word, faults).and_then(|name| Service::named(name.text));
    if let Some(value) = found {
        given.service = Some(At { value, span });
    } else {
        faults.error(span, format!("service must be {}", Service::names()));
    }
}

fn httpmethod(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    let span = trimmed(word).span;
    let name = first_word(word, faults).map(|name| name.text.to_ascii_uppercase());
    let value = match name.as_deref() {
        Some("GET") => Method::Get,
        Some("HEAD") => Method::Head,
        _ => return faults.error(span, "httpmethod must be GET or HEAD"),
    };
    given.httpmethod = Some(At { value, span });
}

fn protocol(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    let name = first_word(word, faults).unwrap_or(trimmed(word));
    if name.text == "sctp" {
        faults.tolerated(name.span, "protocol=sctp is new");
    }
    given.protocol = Some(text(name));
}

fn netmask(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    let mask = trimmed(word);
    if mask.text.len() < word.text.len() {
        faults.tolerated(word.span, "blanks stand behind the value");
    }
    given.netmask = Some(text(mask));
}

/// Between optional quotes, up to the next quote; may be empty.
fn virtualhost(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    let word = trimmed(word);
    tell_typographic(word, faults);
    let start = usize::from(word.text.starts_with('"'));
    let inner = word.text.get(start..).unwrap_or_default();
    let end = start + inner.find('"').unwrap_or(inner.len());
    given.virtualhost = Some(text(word.part(start..end)));
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
