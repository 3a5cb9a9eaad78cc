//! What the director says: its facts in the words of the old daemon's log (specification, appendix
//! B), which operators' scripts look for.

use crate::maintenance::Change;
use ha_plumbing::claim::Claim;
use ha_plumbing::journal;
use ha_status::{Asks, Health, Outdated, Role, Severity};
use ldird_core::alerts::{Alert, Fact};
use ldird_core::output::{Drift, Notice, OpinionEnd, PanicEnd, Silence, When};
use ldird_core::table::{DestinationKey, ServiceKey};
use std::time::Duration;

mod differences;

pub(crate) mod sync;

/// The old daemon's name and version: scripts match the words.
pub(crate) const BANNER: &str = "Linux Director v1.186-ha";

/// One line for log, dashboard and followers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) severity: Severity,
    pub(crate) text: String,
}

impl Line {
    pub(crate) fn new(severity: Severity, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { severity, text }
    }

    /// To the log alone, while there is no loop.
    pub(crate) fn log(&self) {
        journal::log(self.severity, &self.text);
    }
}

/// What a mail says, after the service's name.
pub(crate) fn alert(alert: &Alert) -> String {
    match &alert.fact {
        // The log says `Readd`.
        Fact::Changed(Notice::RealReadded { service, real }) => {
            let (service, real) = (*service, *real);
            sentence(&Notice::RealQuiesced { service, real })
        }
        Fact::Changed(notice) => sentence(notice),
        Fact::Inaccessible(real) => {
            format!(
                "Inaccessible real server: {real} ({})",
                title(&alert.service)
            )
        }
    }
}

/// `1 real server`, `3 real servers`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    format!("{count} {}", plural(count, what))
}

/// The word alone, for so many of it.
pub(crate) fn plural(count: usize, word: &str) -> String {
    if count == 1 {
        word.to_owned()
    } else {
        format!("{word}s")
    }
}

/// The line for a fact.
pub(crate) fn line(notice: &Notice) -> Line {
    Line::new(severity(notice), sentence(notice))
}

fn severity(notice: &Notice) -> Severity {
    match notice {
        Notice::AgentAsks { agent, .. }
            if (agent.asks, agent.percent > 0) == (Asks::Serve, true) =>
        {
            Severity::Notice
        }
        Notice::AgentAsks { .. } => Severity::Warning,
        Notice::ServiceAdded(_)
        | Notice::ServiceChanged(_)
        | Notice::SoftFailureReset { .. }
        | Notice::LeavesLater { .. }
        | Notice::Started
        | Notice::Turned(_)
        | Notice::Prepared { whole: true }
        | Notice::HeldBack
        | Notice::OverrideEnded { .. }
        | Notice::Reloaded
        | Notice::AskedAgain
        | Notice::Rising { .. }
        | Notice::RealWeighted { .. }
        | Notice::AgentAnswers { .. }
        | Notice::ShutdownStarted => Severity::Info,
        Notice::ServicePurged { .. }
        | Notice::RealAdded { .. }
        | Notice::RealRestored { .. }
        | Notice::RealPurged { .. }
        | Notice::FallbackDeleted { .. }
        | Notice::ServedAgain(_)
        | Notice::PanicOver { failing: 0, .. }
        | Notice::SecondOpinionOver {
            why: OpinionEnd::Recovered,
            ..
        }
        | Notice::Up { .. } => Severity::Notice,
        Notice::RealQuiesced { .. }
        | Notice::RealDeleted { .. }
        | Notice::FallbackAdded { .. }
        | Notice::SoftFailure { .. }
        | Notice::Down { .. }
        | Notice::RealReadded { .. }
        | Notice::PanicOver { .. }
        | Notice::SecondOpinion { .. }
        | Notice::SecondOpinionOver { .. }
        | Notice::OpinionShared { .. }
        | Notice::NoOpinion { .. }
        | Notice::Enforced { .. }
        | Notice::AgentSilent { .. }
        | Notice::CertificateEnds { .. }
        | Notice::Prepared { whole: false }
        | Notice::Drift(_) => Severity::Warning,
        Notice::EditFailed { .. }
        | Notice::MoreEditsFailed(_)
        | Notice::CouldNotAsk { .. }
        | Notice::TableUnreadable(_) => Severity::Error,
        Notice::NobodyServes(_) | Notice::Panic { .. } => Severity::Critical,
    }
}

/// The words of each fact, one row each.
fn sentence(notice: &Notice) -> String {
    match notice {
        Notice::ServiceAdded(service) => format!("Added virtual server: {}", title(service)),
        Notice::ServiceChanged(service) => format!("Changed virtual server: {}", title(service)),
        Notice::ServicePurged { service, when } => {
            format!(
                "Purged virtual server ({}): {}",
                word(*when),
                title(service)
            )
        }
        Notice::RealAdded {
            service,
            real,
            weight,
        } => format!(
            "Added real server: {real} ({}) (Weight set to {weight})",
            title(service)
        ),
        Notice::RealRestored {
            service,
            real,
            weight,
        } => format!(
            "Restored real server: {real} ({}) (Weight set to {weight})",
            title(service)
        ),
        Notice::RealReadded { service, real } => format!(
            "Readd Quiescent real server: {real} ({}) (Weight set to 0)",
            title(service)
        ),
        Notice::RealQuiesced { service, real } => format!(
            "Quiescent real server: {real} ({}) (Weight set to 0)",
            title(service)
        ),
        Notice::RealDeleted { service, real } => {
            format!("Deleted real server: {real} ({})", title(service))
        }
        Notice::RealPurged {
            service,
            real,
            when,
        } => format!(
            "Purged real server ({}): {real} ({})",
            word(*when),
            title(service)
        ),
        Notice::LeavesLater { service, real } => format!(
            "Real server {real} ({}) is not in the new configuration and leaves when those that are new \
             there have been checked",
            title(service)
        ),
        Notice::FallbackAdded { service, fallback } => format!(
            "Added fallback server: {fallback} ({}) (Weight set to 1)",
            title(service)
        ),
        Notice::FallbackDeleted { service, fallback } => {
            format!("Deleted fallback server: {fallback} ({})", title(service))
        }
        Notice::SoftFailure {
            service,
            real,
            failures,
            limit,
            message: _,
        } => format!("Soft failure real server: {real} ({service}) failure {failures}/{limit}"),
        Notice::SoftFailureReset { service, real } => {
            format!("Resetting soft failure count: {real} ({service})")
        }
        // The old daemon did not say why; these lines are new.
        Notice::Down {
            service,
            real,
            message,
        } => format!("Check of real server {real} ({service}) failed: {message}"),
        Notice::Up {
            service,
            real,
            message,
        } => format!("Check of real server {real} ({service}) passed: {message}"),
        Notice::Rising {
            service,
            real,
            passes,
            limit,
        } => format!("Real server {real} ({service}) is down and passed {passes}/{limit}"),
        Notice::RealWeighted {
            service,
            real,
            weight,
        } => format!(
            "Changed real server: {real} ({}) (Weight set to {weight})",
            title(service)
        ),
        Notice::Panic {
            service,
            failing,
            of,
            longest,
        } => panic(service, *failing, *of, *longest),
        Notice::PanicOver {
            service,
            why,
            failing,
        } => panic_over(service, *why, *failing),
        Notice::SecondOpinion {
            service,
            real,
            node,
            up,
            longest,
        } => format!(
            "SECOND OPINION: virtual server {}: by the checks of this director its last real server {real} \
             has failed, but the director on {node} finds {} up. The fault is probably between this \
             director and its real servers: look at that link, or let the other one take over \
             (hb_standby). {real} keeps its weight, for {} s at most",
            title(service),
            listed(up),
            longest.as_secs()
        ),
        Notice::SecondOpinionOver { service, real, why } => opinion_over(service, *real, why),
        Notice::OpinionShared { service, node } => format!(
            "Virtual server {}: the director on {node} finds none of its real servers up either",
            title(service)
        ),
        Notice::NoOpinion {
            service,
            why,
            first: _,
        } => format!(
            "Virtual server {}: its last real server leaves without a second opinion: {}; this is said \
             once, until there is one again",
            title(service),
            silent(why)
        ),
        Notice::Enforced { service, what } => format!(
            "Virtual server {}: {}; put back",
            title(service),
            differences::of(what)
        ),
        Notice::CertificateEnds {
            service,
            real,
            left,
        } => format!("The certificate of real server {real} ({service}) {left}"),
        Notice::AgentAsks {
            service,
            real,
            agent,
            down: _,
        } => format!("Agent of real server {real} ({service}): {agent}"),
        Notice::AgentSilent {
            service,
            real,
            message,
        } => format!(
            "Agent of real server {real} ({service}) does not answer: {message}; what it said before \
             counts"
        ),
        Notice::AgentAnswers { service, real } => {
            format!("Agent of real server {real} ({service}) answers again")
        }
        Notice::CouldNotAsk {
            service,
            real,
            message,
        } => format!(
            "Real server {real} ({service}) could not be checked, and perhaps others: {message}; \
             servers stay as they are"
        ),
        Notice::AskedAgain => "Every real server is checked again".to_owned(),
        Notice::NobodyServes(service) => format!(
            "Virtual server {}: nobody takes connections, no real server and no fallback",
            title(service)
        ),
        Notice::ServedAgain(service) => {
            format!("Virtual server {}: it is served again", title(service))
        }
        Notice::EditFailed { edit: _, error } => {
            format!("Change of the IPVS table failed: {error}")
        }
        Notice::MoreEditsFailed(more) => {
            let more = counted(*more, "more change");
            format!("{more} of the IPVS table failed at the same time")
        }
        Notice::TableUnreadable(error) => format!("The IPVS table cannot be read: {error}"),
        Notice::Drift(what) => drift(what),
        Notice::Started => "The IPVS table is set up".to_owned(),
        Notice::Reloaded => "The new configuration is in force".to_owned(),
        Notice::OverrideEnded {
            service,
            real,
            says,
        } => format!(
            "Override ended, its time is up: {} of {real} ({})",
            says.word(),
            title(service)
        ),
        Notice::Turned(Role::Active) => "Active: the IPVS table is in the kernel".to_owned(),
        Notice::Turned(Role::Standby) => {
            "On standby: checks go on, the resource is active elsewhere".to_owned()
        }
        Notice::Prepared { whole: true } => {
            "On standby: the IPVS table is in the kernel, for a hand-over".to_owned()
        }
        Notice::Prepared { whole: false } => {
            "On standby: the IPVS table is in the kernel for a hand-over, but for what it refuses"
                .to_owned()
        }
        Notice::HeldBack => {
            "On standby: the IPVS table, in the kernel for a hand-over, is held back again"
                .to_owned()
        }
        Notice::ShutdownStarted => "Stopping".to_owned(),
    }
}

fn panic(service: &ServiceKey, failing: usize, of: usize, longest: Duration) -> String {
    format!(
        "PANIC: virtual server {}: {failing} of {of} real servers failed within one interval. That may \
         be this director's own network; their weights are held as they were, for {} s at most",
        title(service),
        longest.as_secs()
    )
}

fn panic_over(service: &ServiceKey, why: PanicEnd, failing: usize) -> String {
    let why = match why {
        PanicEnd::Recovered => "few enough real servers fail",
        PanicEnd::Lasted => "it has lasted as long as panictime allows",
        PanicEnd::Withdrawn => "the new configuration has no panicthreshold",
    };
    let rest = match failing {
        0 => String::new(),
        1 => "; the 1 that still fails goes".to_owned(),
        failing => format!("; the {failing} that still fail go"),
    };
    let service = title(service);
    format!("Virtual server {service}: weights are held no more: {why}{rest}")
}

fn opinion_over(service: &ServiceKey, real: DestinationKey, why: &OpinionEnd) -> String {
    let (why, rest) = match why {
        OpinionEnd::Recovered => ("a real server passes its checks".to_owned(), ""),
        OpinionEnd::Agreed { node } => (
            format!("the director on {node} finds none up any more, either"),
            ", and it goes",
        ),
        OpinionEnd::Silent(silence) => (
            format!("there is no second opinion any more: {}", silent(silence)),
            ", and it goes",
        ),
        OpinionEnd::Lasted => (
            "it has lasted as long as secondopiniontime allows".to_owned(),
            ", and it goes",
        ),
        OpinionEnd::Overruled => ("somebody else has a say now".to_owned(), ""),
        OpinionEnd::Reloaded => ("the configuration was loaded again".to_owned(), ""),
        OpinionEnd::Standby => ("the resource is not active here any more".to_owned(), ""),
    };
    let service = title(service);
    format!("Virtual server {service}: {real} is held no more: {why}{rest}")
}

/// Why nobody has an opinion.
fn silent(why: &Silence) -> String {
    match why {
        Silence::NoAnswer => "no other director has answered in time".to_owned(),
        Silence::Unknown { node } => {
            format!("no director on {node} has this virtual server with the same real servers")
        }
        Silence::Nobody(why) => why.clone(),
    }
}

/// `10.0.0.1:80`, `10.0.0.1:80 and 10.0.0.2:80`, and of more than three how many.
pub(crate) fn listed(servers: &[impl std::fmt::Display]) -> String {
    match servers {
        [] => "others".to_owned(),
        [one] => one.to_string(),
        [one, other] => format!("{one} and {other}"),
        [one, other, another] => format!("{one}, {other} and {another}"),
        [one, other, rest @ ..] => format!("{one}, {other} and {} more", rest.len()),
    }
}

fn drift(what: &Drift) -> String {
    match what {
        Drift::ServiceChanged(service) => format!(
            "Virtual server {}: its scheduler or persistence was changed by somebody else; left alone",
            title(service)
        ),
        Drift::RealChanged(service, real) => format!(
            "Virtual server {}: {real} was changed by somebody else; left alone",
            title(service)
        ),
        Drift::ServiceDeleted(service) => format!(
            "Virtual server {}: was deleted by somebody else; adding it again",
            title(service)
        ),
        Drift::RealDeleted(service, real) => format!(
            "Virtual server {}: {real} was deleted by somebody else; adding it again",
            title(service)
        ),
        Drift::More(more) => {
            let was = if *more == 1 { "was" } else { "were" };
            let more = counted(*more, "more row");
            format!("{more} of the IPVS table {was} changed or deleted by somebody else")
        }
    }
}

/// The verdict on a real server.
pub(crate) fn health(health: Health) -> &'static str {
    match health {
        Health::Unknown => "unknown",
        Health::Up => "up",
        Health::Down => "down",
        Health::Maintenance => "maintenance",
        Health::Off => "off",
    }
}

/// A claim that is held in one place only counts all the same.
pub(crate) fn claim_weak(claim: &Claim) -> Option<Line> {
    let trouble = claim.trouble()?;
    let text = format!("One of two safeguards against a second director is missing: {trouble}");
    Some(Line::new(Severity::Warning, text))
}

/// The role in a word.
pub(crate) fn role(role: Role) -> &'static str {
    match role {
        Role::Active => "active",
        Role::Standby => "standby",
    }
}

/// A file of the maintenance directory took a real server out, or let it back.
pub(crate) fn maintenance(change: &Change) -> Line {
    let (service, real, file) = (title(&change.service), change.real, &change.file);
    if change.active {
        let text = format!("Server in maintenance: {real} ({service}), by the file {file}");
        return Line::new(Severity::Notice, text);
    }
    let text = format!("Maintenance of {real} ({service}) has ended: the file {file} is gone");
    Line::new(Severity::Notice, text)
}

/// The maintenance directory cannot be read, or can be again.
pub(crate) fn maintenance_unread(trouble: &Result<(), String>) -> Line {
    if let Err(error) = trouble {
        let text = format!(
            "Maintenance: {error}; who was in maintenance stays there until it can be read"
        );
        Line::new(Severity::Error, text)
    } else {
        let text = "The maintenance directory can be read again";
        Line::new(Severity::Notice, text)
    }
}

/// At the start nobody waits longer for the maintenance directory.
pub(crate) fn disk_silent(limit: Duration) -> Line {
    let limit = limit.as_secs();
    let text = format!(
        "The maintenance directory or the configuration file has not answered within {limit} s: it \
         counts as soon as it does, and nobody is in maintenance until then"
    );
    Line::new(Severity::Error, text)
}

/// A file of the maintenance directory that does nothing.
pub(crate) fn stranger(file: &str) -> Line {
    let text = format!("The maintenance file {file} names no real server: nothing is done");
    Line::new(Severity::Warning, text)
}

/// V of the catalogue: `ADDR:PORT` or the mark.
fn title(service: &ServiceKey) -> String {
    match service {
        ServiceKey::Address { address, .. } => address.to_string(),
        ServiceKey::Fwmark { mark, .. } => mark.to_string(),
    }
}

fn word(when: When) -> &'static str {
    match when {
        When::Start => "start",
        When::Stop => "stop",
    }
}

/// `7s`, `2m05s`, `3h10m`, `4d02h`.
pub(crate) fn age(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        86_400.. => format!("{}d{:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// What is to be known of rules that are older than their file, and to be done.
pub(crate) fn outdated(outdated: &Outdated, at_ms: u64, name: &str) -> String {
    let ago = age(at_ms.saturating_sub(outdated.refused_ms));
    let why = &outdated.why;
    format!(
        "the file was refused {ago} ago, and the rules in force are older ({why}); \
         mend it until ldird {name} check is content, then ldird {name} reload"
    )
}

#[cfg(test)]
mod tests;
