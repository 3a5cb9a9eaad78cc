//! From a line to options: which are known, which take a value, how short ones are bundled.

use super::{Fault, Problem};

/// An option of ipvsadm, by its long name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// What is to be done.
    Verb(Verb),
    /// Which virtual service.
    Service(Kind),
    Ipv6,
    Scheduler,
    SchedFlags,
    Persistent,
    Netmask,
    Pe,
    Ops,
    RealServer,
    Gatewaying,
    Ipip,
    Masquerading,
    Weight,
    UThreshold,
    LThreshold,
    TunType,
    TunPort,
    TunNocsum,
    TunCsum,
    TunRemcsum,
}

/// The command of a line; each has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    AddService,
    EditService,
    DeleteService,
    AddServer,
    EditServer,
    DeleteServer,
    Clear,
    Zero,
}

/// How a virtual service is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Tcp,
    Udp,
    Sctp,
    Fwmark,
}

/// Whether an option takes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Value,
    /// The next word, unless that is an option.
    Perhaps,
}

/// Every option: long name, short name, value.
const OPTIONS: [(&str, Option<char>, Takes, Name); 31] = [
    (
        "add-service",
        Some('A'),
        Takes::Nothing,
        Name::Verb(Verb::AddService),
    ),
    (
        "edit-service",
        Some('E'),
        Takes::Nothing,
        Name::Verb(Verb::EditService),
    ),
    (
        "delete-service",
        Some('D'),
        Takes::Nothing,
        Name::Verb(Verb::DeleteService),
    ),
    (
        "add-server",
        Some('a'),
        Takes::Nothing,
        Name::Verb(Verb::AddServer),
    ),
    (
        "edit-server",
        Some('e'),
        Takes::Nothing,
        Name::Verb(Verb::EditServer),
    ),
    (
        "delete-server",
        Some('d'),
        Takes::Nothing,
        Name::Verb(Verb::DeleteServer),
    ),
    ("clear", Some('C'), Takes::Nothing, Name::Verb(Verb::Clear)),
    ("zero", Some('Z'), Takes::Nothing, Name::Verb(Verb::Zero)),
    (
        "tcp-service",
        Some('t'),
        Takes::Value,
        Name::Service(Kind::Tcp),
    ),
    (
        "udp-service",
        Some('u'),
        Takes::Value,
        Name::Service(Kind::Udp),
    ),
    (
        "sctp-service",
        None,
        Takes::Value,
        Name::Service(Kind::Sctp),
    ),
    (
        "fwmark-service",
        Some('f'),
        Takes::Value,
        Name::Service(Kind::Fwmark),
    ),
    ("ipv6", Some('6'), Takes::Nothing, Name::Ipv6),
    ("scheduler", Some('s'), Takes::Value, Name::Scheduler),
    ("sched-flags", Some('b'), Takes::Value, Name::SchedFlags),
    ("persistent", Some('p'), Takes::Perhaps, Name::Persistent),
    ("netmask", Some('M'), Takes::Value, Name::Netmask),
    ("pe", None, Takes::Value, Name::Pe),
    ("ops", Some('o'), Takes::Nothing, Name::Ops),
    ("real-server", Some('r'), Takes::Value, Name::RealServer),
    ("gatewaying", Some('g'), Takes::Nothing, Name::Gatewaying),
    ("ipip", Some('i'), Takes::Nothing, Name::Ipip),
    (
        "masquerading",
        Some('m'),
        Takes::Nothing,
        Name::Masquerading,
    ),
    ("weight", Some('w'), Takes::Value, Name::Weight),
    ("u-threshold", Some('x'), Takes::Value, Name::UThreshold),
    ("l-threshold", Some('y'), Takes::Value, Name::LThreshold),
    ("tun-type", None, Takes::Value, Name::TunType),
    ("tun-port", None, Takes::Value, Name::TunPort),
    ("tun-nocsum", None, Takes::Nothing, Name::TunNocsum),
    ("tun-csum", None, Takes::Nothing, Name::TunCsum),
    ("tun-remcsum", None, Takes::Nothing, Name::TunRemcsum),
];

/// One option of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Opt<'a> {
    /// Which option.
    pub(super) name: Name,
    /// The word it stood in, for messages.
    pub(super) word: &'a str,
    /// Its value, if it has one.
    pub(super) value: Option<&'a str>,
}

impl Opt<'_> {
    /// The complaint about the value, or about the option where there is no value.
    pub(super) fn fault(&self, problem: Problem) -> Fault {
        Fault::new(self.value.unwrap_or(self.word), problem)
    }
}

/// Splits a line into options.
pub(super) fn split(line: &str) -> Result<Vec<Opt<'_>>, Fault> {
    let mut words = line.split_ascii_whitespace().peekable();
    let mut options = Vec::new();
    while let Some(word) = words.next() {
        if let Some(long) = word.strip_prefix("--") {
            let (name, attached) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (long, None),
            };
            let (takes, name) =
                by_long_name(name).ok_or(Fault::new(word, Problem::UnknownOption))?;
            if takes == Takes::Nothing && attached.is_some() {
                return Err(Fault::new(word, Problem::ValueUnexpected));
            }
            let value = attached.or_else(|| next_value(takes, &mut words));
            options.push(checked(Opt { name, word, value }, takes)?);
        } else if let Some(bundle) = word.strip_prefix('-').filter(|bundle| !bundle.is_empty()) {
            split_bundle(word, bundle, &mut words, &mut options)?;
        } else {
            return Err(Fault::new(word, Problem::UnexpectedWord));
        }
    }
    Ok(options)
}

type Words<'a> = std::iter::Peekable<std::str::SplitAsciiWhitespace<'a>>;

/// `-At`, `-p600`: flags, and at most one option with a value at the end.
fn split_bundle<'a>(
    word: &'a str,
    bundle: &'a str,
    words: &mut Words<'a>,
    options: &mut Vec<Opt<'a>>,
) -> Result<(), Fault> {
    let mut letters = bundle.chars();
    while let Some(letter) = letters.next() {
        let (takes, name) = by_letter(letter).ok_or(Fault::new(word, Problem::UnknownOption))?;
        let rest = letters.as_str();
        let attached = (takes != Takes::Nothing && !rest.is_empty()).then_some(rest);
        let value = match attached {
            Some(rest) => Some(rest.strip_prefix('=').unwrap_or(rest)),
            None => next_value(takes, words),
        };
        options.push(checked(Opt { name, word, value }, takes)?);
        if attached.is_some() {
            break;
        }
    }
    Ok(())
}

fn next_value<'a>(takes: Takes, words: &mut Words<'a>) -> Option<&'a str> {
    match takes {
        Takes::Nothing => None,
        Takes::Value => words.next(),
        Takes::Perhaps => words.next_if(|word| !word.starts_with('-')),
    }
}

fn checked(option: Opt<'_>, takes: Takes) -> Result<Opt<'_>, Fault> {
    if takes == Takes::Value && option.value.is_none() {
        return Err(Fault::new(option.word, Problem::ValueMissing));
    }
    Ok(option)
}

fn by_long_name(wanted: &str) -> Option<(Takes, Name)> {
    OPTIONS
        .iter()
        .find(|(long, ..)| *long == wanted)
        .map(|&(_, _, takes, name)| (takes, name))
}

fn by_letter(wanted: char) -> Option<(Takes, Name)> {
    let option = OPTIONS
        .iter()
        .find(|(_, letter, ..)| *letter == Some(wanted));
    option.map(|&(_, _, takes, name)| (takes, name))
}
