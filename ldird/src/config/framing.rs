//! What a section adds to its checks, whatever they ask: which answers of http are up, how long one
//! may take, and where checks come from. None of it is known to the old daemon.

use super::Section;
use super::given::{At, Family, Faults, Given, RealLine};
use super::words::{between_quotes, trimmed, without_comment};
use crate::probes::{Dialler, Frame, Statuses, Wrap};
use ha_plumbing::Word;
use ldird_core::table::{Forwarding, Protocol, ServiceKey, Tunnel};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Longest name of an interface, bytes (IFNAMSIZ without its NUL).
const DEVICE_MAX_BYTES: usize = 15;
/// Longest `maxresponsetime`: beyond any time limit of a check.
const TIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn httpstatus(given: &mut Given, value: Word<'_>, faults: &mut Faults<'_>) {
    let word = plain(value, faults);
    match Statuses::read(word.text) {
        Some(value) => given.httpstatus = at(value, word),
        None => faults.error_with(
            word.span,
            "invalid httpstatus: a list of codes and ranges of codes",
            "e.g. httpstatus=200,204,300-399",
        ),
    }
}

pub(super) fn maxresponsetime(given: &mut Given, value: Word<'_>, faults: &mut Faults<'_>) {
    let word = plain(value, faults);
    match time(word.text) {
        Some(value) => given.maxresponsetime = at(value, word),
        None => faults.error_with(
            word.span,
            "invalid maxresponsetime: a time above zero",
            "in seconds or with a unit, e.g. maxresponsetime=1.5 or maxresponsetime=800ms",
        ),
    }
}

pub(super) fn certexpirywarn(given: &mut Given, value: Word<'_>, faults: &mut Faults<'_>) {
    let word = plain(value, faults);
    match word.text.parse() {
        Ok(value @ 1..) => given.certexpirywarn = at(value, word),
        Ok(0) | Err(_) => faults.error_with(
            word.span,
            "invalid certexpirywarn: a number of days",
            "at least 1, e.g. certexpirywarn=14",
        ),
    }
}

pub(super) fn checkpath(given: &mut Given, value: Word<'_>, faults: &mut Faults<'_>) {
    let word = plain(value, faults);
    match word.text {
        "real" => given.checkpath = at(false, word),
        "vip" => given.checkpath = at(true, word),
        _ => faults.error_with(
            word.span,
            "invalid checkpath: the address of the real server or the virtual one",
            "checkpath=real or checkpath=vip",
        ),
    }
}

pub(super) fn checksource(given: &mut Given, value: Word<'_>, faults: &mut Faults<'_>) {
    let word = plain(value, faults);
    match word.text.parse::<IpAddr>() {
        Ok(value) if !value.is_unspecified() && !value.is_multicast() => {
            given.checksource = at(value, word);
        }
        Ok(_) | Err(_) => faults.error_with(
            word.span,
            "invalid checksource: an address of this machine",
            "e.g. checksource=10.0.0.9 or checksource=2001:db8::9",
        ),
    }
}

pub(super) fn checkdevice(given: &mut Given, value: Word<'_>, faults: &mut Faults<'_>) {
    let word = plain(value, faults);
    let good = |c: char| c.is_ascii_graphic() && c != '/' && c != ':';
    let fits = (1..=DEVICE_MAX_BYTES).contains(&word.text.len()) && word.text.chars().all(good);
    if fits {
        given.checkdevice = at(word.text.to_owned(), word);
    } else {
        let message = "invalid checkdevice: the name of an interface";
        faults.error_with(word.span, message, "e.g. checkdevice=eth1");
    }
}

pub(super) fn checkmark(given: &mut Given, value: Word<'_>, faults: &mut Faults<'_>) {
    let word = plain(value, faults);
    let number = match word.text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => word.text.parse(),
    };
    match number {
        Ok(value @ 1..) => given.checkmark = at(value, word),
        Ok(0) | Err(_) => faults.error_with(
            word.span,
            "invalid checkmark: a firewall mark",
            "a number from 1 to 4294967295, e.g. checkmark=7 or checkmark=0x10",
        ),
    }
}

/// Everything that is said for the checks of a section: do they look at certificates, and how long
/// may one take at most?
pub(super) fn frame(
    section: &Section,
    global: &Given,
    (tls, limit): (bool, Duration),
    faults: &mut Faults<'_>,
) -> Arc<Frame> {
    let given = &section.given;
    if let Some(slow) = given
        .maxresponsetime
        .as_ref()
        .filter(|at| at.value >= limit)
    {
        let message = format!("maxresponsetime has no effect: a check ends after {limit:?} anyway");
        faults.warning(slow.span, message);
    }
    let warn = given.certexpirywarn.as_ref();
    let warn = warn.or(global.certexpirywarn.as_ref()).filter(|_| tls);
    if let (Some(at), false) = (&given.certexpirywarn, tls) {
        faults.warning(
            at.span,
            "certexpirywarn has no effect: no certificate is seen",
        );
    }
    Arc::new(Frame {
        path: None,
        origin: origin(section, global, faults).map(Arc::new),
        limit: given.maxresponsetime.as_ref().map(|at| at.value),
        warn_days: warn.map(|at| at.value),
    })
}

fn origin(section: &Section, global: &Given, faults: &mut Faults<'_>) -> Option<Dialler> {
    let given = &section.given;
    let source = given.checksource.as_ref().or(global.checksource.as_ref());
    let device = given.checkdevice.as_ref().or(global.checkdevice.as_ref());
    let mark = given.checkmark.as_ref().or(global.checkmark.as_ref());
    if let Some(at) = &given.checksource {
        let other = |real: &RealLine| (real.family == Family::V4) != at.value.is_ipv4();
        if given.reals.iter().any(other) {
            let message = format!(
                "checksource={} is of another family than some real servers: \
                 the kernel chooses where their checks come from",
                at.value
            );
            faults.warning(at.span, message);
        }
    }
    let dialler = Dialler {
        source: source.map(|at| at.value),
        device: device.map(|at| at.value.clone()),
        mark: mark.map_or(0, |at| at.value),
    };
    (dialler != Dialler::default()).then_some(dialler)
}

/// Where clients connect to, if checks are to take their way and can.
pub(super) fn clients_way(
    section: &Section,
    key: ServiceKey,
    asks: bool,
    faults: &mut Faults<'_>,
) -> Option<SocketAddr> {
    let at = section.given.checkpath.as_ref().filter(|at| at.value)?;
    let handed_on = |real: &&RealLine| wrap(Tunnel::Ipip, real.forwarding).is_some();
    let mut reals = section.given.reals.iter().filter(handed_on).peekable();
    if !asks || reals.peek().is_none() {
        let why = if asks {
            "it is for real servers with gate or ipip"
        } else {
            "nothing is asked"
        };
        faults.warning(at.span, format!("checkpath=vip has no effect: {why}"));
        return None;
    }
    let ServiceKey::Address {
        protocol: Protocol::Tcp,
        address,
    } = key
    else {
        let message = "checkpath=vip is for virtual services of tcp: what clients of another \
                       protocol or of a firewall mark send, and what is an answer, only they know";
        faults.error(at.span, message);
        return None;
    };
    if address.port() == 0 {
        let message = "checkpath=vip is for virtual services with a port";
        faults.error(at.span, message);
        return None;
    }
    if reals.any(|real| (real.family == Family::V4) != address.is_ipv4()) {
        let message = "checkpath=vip has no effect on real servers of the other address family: \
                       they are asked as ever";
        faults.warning(at.span, message);
    }
    Some(address)
}

/// How the director hands packets on to this real server; `None` where it is not the clients' way.
pub(super) fn wrap(section_tunnel: Tunnel, forwarding: Forwarding) -> Option<Wrap> {
    match (forwarding, section_tunnel) {
        (Forwarding::Masq | Forwarding::Local, _) => None,
        (Forwarding::Gate, _) => Some(Wrap::Direct),
        (Forwarding::Ipip, Tunnel::Ipip) => Some(Wrap::Ipip),
        (Forwarding::Ipip, Tunnel::Gue { port, .. }) => Some(Wrap::Gue(port)),
        (Forwarding::Ipip, Tunnel::Gre { .. }) => Some(Wrap::Gre),
    }
}

/// `2`, `1.5`, `2s` or `800ms`.
pub(super) fn time(text: &str) -> Option<Duration> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let number = number.trim_end();
    let digits = |c: char| c.is_ascii_digit() || c == '.';
    let seconds: f64 = number.parse().ok().filter(|_| number.chars().all(digits))?;
    let time = Duration::try_from_secs_f64(seconds * unit).ok()?;
    (time > Duration::ZERO && time <= TIME_MAX).then_some(time)
}

/// A value with or without quotes and a comment behind it.
fn plain<'a>(value: Word<'a>, faults: &mut Faults<'_>) -> Word<'a> {
    let word = without_comment(trimmed(value), faults);
    between_quotes(word).unwrap_or(word)
}

#[expect(clippy::unnecessary_wraps, reason = "as it is kept")]
fn at<T>(value: T, word: Word<'_>) -> Option<At<T>> {
    let span = word.span;
    Some(At { value, span })
}
