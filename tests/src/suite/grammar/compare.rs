//! Two readings of one file: equal, different for a listed reason, or different without one.

use serde_json::Value;
use std::net::Ipv4Addr;

/// What became of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    Equal,
    Listed(&'static str),
    Unexplained(String),
}

use Finding::{Equal, Listed, Unexplained};

type Refused = (&'static str, fn(&str) -> bool, &'static str);
type Otherwise = (&'static str, fn(&Difference<'_>) -> bool, &'static str);

/// Errors of files that the old daemon takes: the beginning of the message, what the line is like,
/// and why it is refused.
const REFUSED_HERE: &[Refused] = &[
    (
        "invalid address for virtual service",
        odd_address,
        "an address in octal or in a short form, which nobody means",
    ),
    (
        "invalid IPv",
        |line| odd_address(line) || line.trim_end().ends_with(';'),
        "an address in octal or in a short form, or with something behind it",
    ),
    (
        "invalid address (",
        |line| odd_address(line) || line.contains("5060"),
        "an address in octal or in a short form, which nobody means",
    ),
    (
        "invalid scheduler",
        |line| line.contains("averyvery"),
        "a name longer than the kernel's",
    ),
    (
        "invalid address for virtual server",
        |_| true,
        "a number with something behind it (a forgotten port) is no firewall mark",
    ),
    (
        "unable to open logfile",
        |line| line.contains("\"\"") || line.contains("nosuch") || line.contains("# \""),
        "a log that is no file and no facility",
    ),
    (
        "Invalid real server line",
        |line| line.contains("\"/"),
        OWN_REQUEST,
    ),
    (
        "Invalid real server line",
        |line| line.contains("\"b\", \"c\""),
        "three strings are one too many",
    ),
    (
        "checktype must be",
        |line| line.contains(|c: char| c.is_ascii_digit()),
        "half a number is no number of connects",
    ),
    (
        "invalid address for real server",
        odd_real,
        "a server's address begins where the value begins",
    ),
    (
        "invalid netmask",
        |line| !line.contains("255.255.255.0"),
        "a netmask with holes or none at all",
    ),
    (
        "invalid receive string",
        |line| line.contains('['),
        "a pattern that does not compile: the old daemon finds out when it checks",
    ),
    (
        "invalid",
        |line| value_of(line).starts_with("00"),
        "00 is 0",
    ),
];

/// Values that both read and that differ, by field; `*` for any.
const READ_OTHERWISE: &[Otherwise] = &[
    (
        "checkinterval",
        |d| d.services.0["ignoredinterval"] == true,
        "a section's checkinterval counts without fork=yes, too",
    ),
    (
        "persistent",
        |d| d.old == 0 && d.new.is_null(),
        "persistent=0: ipvsadm refuses the service, here it has no persistence",
    ),
    (
        "persistent",
        |d| d.new == 31 * 24 * 60 * 60,
        "persistence ends after 31 days",
    ),
    ("real receive", own_request, OWN_REQUEST),
    ("real lower", own_request, OWN_REQUEST),
    ("real upper", own_request, OWN_REQUEST),
    (
        "real weight",
        |d| d.new == i32::MAX,
        "a weight above the kernel's greatest",
    ),
    (
        "real lower",
        |d| d.new == 0,
        "the kernel refuses a lower threshold above the upper one",
    ),
    ("real lower", odd_order, ANY_ORDER),
    ("real upper", odd_order, ANY_ORDER),
    ("real lower", quoted_limits, QUOTED_LIMITS),
    ("real upper", quoted_limits, QUOTED_LIMITS),
    ("real receive", quoted_limits, QUOTED_LIMITS),
    ("real request", quoted_limits, QUOTED_LIMITS),
    ("real receive", odd_dialogue, ODD_DIALOGUE),
    ("real request", odd_dialogue, ODD_DIALOGUE),
    (
        "reals",
        |d| refused_by_the_kernel(d.text),
        "the kernel refuses servers at such addresses",
    ),
    (
        "fallback",
        |d| is_mark(d.services.1) && d.old.is_null(),
        "a global fallback serves firewall marks, too",
    ),
    (
        "scheduler",
        |d| d.text.contains("Wlc") || d.text.contains("w_lc"),
        "a scheduler's name is not cut in pieces",
    ),
    (
        "*",
        |d| *d.new == u32::MAX,
        "a number that nobody lives to see",
    ),
    (
        "*",
        |d| d.new.as_str().is_some_and(|text| text.contains('\t')),
        "a tab in a value stays one",
    ),
    (
        "*",
        |d| d.text.lines().any(hash_in_quotes),
        "a # between quotes is a part of the value",
    ),
];

const ANY_ORDER: &str = "thresholds stand in any order, and the last one of a kind counts";
const QUOTED_LIMITS: &str =
    "thresholds in quotes, as the manual seems to show them, are thresholds";
const ODD_DIALOGUE: &str = "two strings with blanks around the comma, or three, are two strings";

fn odd_order(difference: &Difference<'_>) -> bool {
    ["u:20 l:10", "l:1 l:2"]
        .iter()
        .any(|part| difference.text.contains(part))
}

fn quoted_limits(difference: &Difference<'_>) -> bool {
    difference.text.contains("\"l:10\"")
}

fn odd_dialogue(difference: &Difference<'_>) -> bool {
    let parts = ["\" , \"", "\"b\", \"c\"", "GET 1", "u: 5"];
    parts.iter().any(|part| difference.text.contains(part))
}

fn refused_by_the_kernel(text: &str) -> bool {
    let addresses = ["0.0.0.0", "224.0.0.1", "[::]", "[fe80::1]"];
    addresses.iter().any(|address| text.contains(address))
}

fn hash_in_quotes(line: &str) -> bool {
    let before = line.split('#').next().unwrap_or_default();
    before.contains('"') && before.len() < line.len()
}

fn value_of(line: &str) -> &str {
    line.split_once('=')
        .map_or("", |(_, value)| value.trim_start())
}

/// The address of a `real` line is not what the manual describes.
fn odd_real(line: &str) -> bool {
    let word = value_of(line).split([' ', '\t']).next().unwrap_or_default();
    let end = |c: char| !c.is_ascii_alphanumeric() && !".-:>".contains(c);
    word.is_empty()
        || word.matches(':').count() > 1
        || word.contains(end)
        || word.ends_with(':')
        || word.contains("::")
        || word.starts_with(':')
}

const OWN_REQUEST: &str = "behind a request that begins with a / the old daemon forgets the rest";

fn own_request(difference: &Difference<'_>) -> bool {
    difference.text.contains("\"/")
}

/// With an octet that begins with 0, or with fewer than four.
fn odd_address(line: &str) -> bool {
    let words = line.split(|c: char| !c.is_ascii_digit() && c != '.');
    words
        .filter(|word| word.contains('.'))
        .any(|word| word.parse::<Ipv4Addr>().is_err())
}

/// One value of a virtual service or real server that differs.
pub(super) struct Difference<'a> {
    pub(super) field: &'a str,
    pub(super) old: &'a Value,
    pub(super) new: &'a Value,
    /// The virtual service, as each reads it.
    pub(super) services: (&'a Value, &'a Value),
    pub(super) text: &'a str,
}

/// Holds the readings against each other; `old` is the oracle's.
pub(super) fn judge(text: &str, old: &Value, new: &Value) -> Finding {
    if text.contains('\r') && usable(new) != usable(old) {
        // Told once in a file.
        let told = |one: &Value| {
            one["message"]
                .as_str()
                .is_some_and(|it| it.contains("carriage"))
        };
        if found(new, "warning").any(told) {
            return Listed("lines that end in a carriage return");
        }
    }
    match (usable(old), usable(new)) {
        (false, false) => both_refuse(text, old, new),
        (false, true) => taken_here(text, old, new),
        (true, false) => refused_here(text, new),
        (true, true) => both_read(text, old, new),
    }
}

fn usable(reading: &Value) -> bool {
    reading["usable"] == true
}

fn found<'a>(new: &'a Value, severity: &'a str) -> impl Iterator<Item = &'a Value> {
    let all = new["diagnostics"].as_array().into_iter().flatten();
    all.filter(move |one| one["severity"] == severity)
}

fn lines(new: &Value, severity: &str) -> Vec<u64> {
    found(new, severity)
        .flat_map(|one| {
            let again = one["again"].as_array().into_iter().flatten();
            std::iter::once(&one["line"]).chain(again)
        })
        .filter_map(Value::as_u64)
        .collect()
}

fn message(reading: &Value) -> &str {
    reading["message"].as_str().unwrap_or_default().trim_end()
}

/// The old daemon stops at its first fault: that one must be among ours.
fn both_refuse(text: &str, old: &Value, new: &Value) -> Finding {
    let line = old["line"].as_u64().unwrap_or_default();
    let late = message(old).starts_with("duplicate virtual server");
    if late || line == 0 || lines(new, "error").contains(&line) {
        return Equal;
    }
    // No virtual service at all is an error here, of the file as a whole; of a directive that is
    // repeated the last one is judged.
    // The old daemon judges a section before it looks at the section's own address.
    let address = "invalid address for virtual service";
    let same = |one: &Value| {
        let ours = one["message"].as_str().unwrap_or_default();
        one["line"].is_null() || ours == message(old) || ours.starts_with(address)
    };
    if text.contains('\r') || found(new, "error").any(same) {
        return Equal;
    }
    // A fault that is none there may stand before the one that it stops at.
    let before = found(new, "error").find(|error| error["line"].as_u64() < Some(line));
    let before = before.map(|error| refusal(text, error));
    for finding in [Some(taken_here(text, old, new)), before]
        .into_iter()
        .flatten()
    {
        if let Listed(_) = finding {
            return finding;
        }
    }
    Unexplained(format!(
        "the old daemon stops at line {line}: {}; here the errors are in {:?}",
        message(old),
        lines(new, "error")
    ))
}

fn taken_here(text: &str, old: &Value, new: &Value) -> Finding {
    let line = old["line"].as_u64().unwrap_or_default();
    if message(old) == "no end" {
        return Listed("a range that never ends in the old daemon");
    }
    let told = lines(new, "warning");
    let unasked = |one: &Value| {
        let message = one["message"].as_str().unwrap_or_default();
        message.ends_with(" is not looked up")
    };
    if found(new, "warning").any(unasked) {
        return Listed(
            "a name without an address costs its server or its service, not the director",
        );
    }
    if message(old).contains("load testing") {
        return Listed("load has no effect in either");
    }
    if message(old).starts_with("invalid netmask") && text.matches("netmask").count() > 1 {
        return Listed("of a netmask that is repeated the last one is judged");
    }
    if message(old).contains("could not resolve for fallback server")
        && text.matches("fallback").count() > 1
    {
        return Listed("of a fallback that is repeated the last one is looked up");
    }
    if told.contains(&line) {
        return Listed("taken with a warning at the line where the old daemon stops");
    }
    Unexplained(format!(
        "the old daemon stops at line {line}: {}; here it is taken without a word (warnings in {told:?})",
        message(old)
    ))
}

fn refused_here(text: &str, new: &Value) -> Finding {
    let mut reasons = Vec::new();
    for error in found(new, "error") {
        match refusal(text, error) {
            Listed(reason) => reasons.push(reason),
            other => return other,
        }
    }
    reasons.first().map_or_else(
        || Unexplained("refused here without an error".to_owned()),
        |reason| Listed(reason),
    )
}

/// Why this error is none in the old daemon.
fn refusal(text: &str, error: &Value) -> Finding {
    let message = error["message"].as_str().unwrap_or_default();
    let number = error["line"].as_u64().unwrap_or_default();
    let line = usize::try_from(number).unwrap_or_default().checked_sub(1);
    let line = line.and_then(|at| text.lines().nth(at)).unwrap_or_default();
    let fits = |start: &str, like: fn(&str) -> bool| message.starts_with(start) && like(line);
    let listed = REFUSED_HERE
        .iter()
        .find(|(start, like, _)| fits(start, *like));
    listed.map_or_else(
        || Unexplained(format!("refused here alone: {message}: {line:?}")),
        |(_, _, reason)| Listed(reason),
    )
}

fn both_read(text: &str, old: &Value, new: &Value) -> Finding {
    let mut listed = None;
    let mut hold = |difference: &Difference<'_>| match explain(difference) {
        Some(reason) => {
            listed = Some(reason);
            Ok(())
        }
        None => Err(Unexplained(format!(
            "{}: {} there, {} here, of {}",
            difference.field, difference.old, difference.new, difference.services.1["id"]
        ))),
    };
    let outcome = (|| {
        for field in ["autoreload", "readdquiescent", "supervised"] {
            if old[field] != new[field] {
                hold(&Difference {
                    field,
                    old: &old[field],
                    new: &new[field],
                    services: (old, new),
                    text,
                })?;
            }
        }
        let (olds, news) = (array(&old["virtuals"]), array(&new["virtuals"]));
        if olds.len() != news.len() {
            let many = format!("{} virtual services there, {} here", olds.len(), news.len());
            return Err(Unexplained(many));
        }
        for services in olds.iter().zip(news) {
            for (field, old, new) in differing(services.0, services.1) {
                hold(&Difference {
                    field: &field,
                    old: &old,
                    new: &new,
                    services,
                    text,
                })?;
            }
        }
        Ok(())
    })();
    match (outcome, listed) {
        (Err(unexplained), _) => unexplained,
        (Ok(()), Some(reason)) => Listed(reason),
        (Ok(()), None) => Equal,
    }
}

fn explain(difference: &Difference<'_>) -> Option<&'static str> {
    READ_OTHERWISE
        .iter()
        .find(|(field, fits, _)| (*field == difference.field || *field == "*") && fits(difference))
        .map(|(_, _, reason)| *reason)
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The fields of a virtual service that differ, reals by their place in the table.
fn differing(old: &Value, new: &Value) -> Vec<(String, Value, Value)> {
    let mut found = Vec::new();
    let fields = new
        .as_object()
        .into_iter()
        .flatten()
        .map(|(field, _)| field);
    for field in fields.filter(|field| *field != "reals") {
        let (old, new) = (meaning(field, old), meaning(field, new));
        if old != new {
            found.push((field.clone(), old, new));
        }
    }
    let (olds, news) = (places(old), places(new));
    if olds.keys().ne(news.keys()) {
        let list = |places: &Places| places.keys().cloned().collect::<Vec<_>>().into();
        found.push(("reals".to_owned(), list(&olds), list(&news)));
        return found;
    }
    for (old, new) in olds.values().zip(news.values()) {
        for (field, new) in new.as_object().into_iter().flatten() {
            let old = text_of(&old[field]);
            if old != *new {
                found.push((format!("real {field}"), old, new.clone()));
            }
        }
    }
    found
}

type Places = std::collections::BTreeMap<String, Value>;

/// Of two real servers at one place of the table the last one counts.
fn places(service: &Value) -> Places {
    let reals = array(&service["reals"]).iter();
    reals
        .map(|real| {
            let port = match port_of(service) {
                Some(port) if real["forward"] != "masq" && !is_mark(service) => port.into(),
                Some(_) | None => real["port"].clone(),
            };
            (format!("{}:{port}", real["server"]), real.clone())
        })
        .collect()
}

fn port_of(service: &Value) -> Option<u64> {
    service["id"].as_str()?.rsplit(':').next()?.parse().ok()
}

/// What a field comes to, where the two say it in different words.
fn meaning(field: &str, service: &Value) -> Value {
    let value = text_of(&service[field]);
    match (field, &value) {
        // Without persistence a mask means nothing.
        ("netmask", _) if service["persistent"].as_u64().unwrap_or_default() == 0 => Value::Null,
        ("netmask", Value::Null) => if service["family"] == 6 { 128 } else { 32 }.into(),
        ("netmask", Value::String(text)) => prefix_length(text),
        // Blanks at the end of a line.
        ("virtualhost" | "servicename", Value::String(text)) => match text.trim_end() {
            "" => Value::Null,
            text => text.into(),
        },
        // Only udp is ever scheduled packet by packet there.
        ("ops", Value::Bool(_)) => (value == true && is_udp(service)).into(),
        ("fallback", Value::Object(fallback)) => {
            let mut fallback = fallback.clone();
            // The kernel takes a server that it does not rewrite at the service's own port.
            let port = port_of(service);
            let rewritten = fallback.get("forward").is_some_and(|word| word == "masq");
            if !rewritten && !is_mark(service) {
                fallback.insert("port".to_owned(), port.into());
            }
            Value::Object(fallback)
        }
        _ => value,
    }
}

pub(super) fn is_udp(service: &Value) -> bool {
    let id = service["id"].as_str().unwrap_or_default();
    id.starts_with("udp:")
}

pub(super) fn is_mark(service: &Value) -> bool {
    let id = service["id"].as_str().unwrap_or_default();
    id.starts_with("fwm")
}

fn prefix_length(text: &str) -> Value {
    match text.parse::<Ipv4Addr>() {
        Ok(mask) => u32::from(mask).leading_ones().into(),
        Err(_) => text.parse::<u64>().map_or_else(|_| text.into(), Into::into),
    }
}

/// The oracle speaks of bytes, each as a character.
fn text_of(value: &Value) -> Value {
    let Value::String(text) = value else {
        return value.clone();
    };
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
    let decoded = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.map_or_else(|| value.clone(), Value::String)
}
