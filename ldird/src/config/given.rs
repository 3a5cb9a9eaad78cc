//! What a file says, directive by directive, before anything is resolved: one such record for the
//! globals and one for each section, because most directives may stand in both.

pub(crate) use crate::probes::{CheckType, Method, Service, Statuses};
use ha_plumbing::{Diagnostic, Source, Span};
use ldird_core::alerts::Phase;
use ldird_core::table::{Forwarding, Tunnel};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

/// A value and where it stands, for complaints that come later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// One scope's directives; `None` where the file says nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given {
    pub(crate) checktimeout: Option<At<u32>>,
    pub(crate) negotiatetimeout: Option<At<u32>>,
    pub(crate) checkinterval: Option<At<u32>>,
    pub(crate) checkcount: Option<At<u32>>,
    pub(crate) failurecount: Option<At<u32>>,
    pub(crate) checkintervalms: Option<At<u32>>,
    pub(crate) checktimeoutms: Option<At<u32>>,
    pub(crate) negotiatetimeoutms: Option<At<u32>>,
    pub(crate) risecount: Option<At<u32>>,
    pub(crate) enforce: Option<At<bool>>,
    pub(crate) slowstart: Option<At<u32>>,
    pub(crate) panicthreshold: Option<At<u32>>,
    pub(crate) panictime: Option<At<u32>>,
    pub(crate) secondopinion: Option<At<bool>>,
    pub(crate) secondopiniontime: Option<At<u32>>,
    pub(crate) reresolve: Option<At<u32>>,
    pub(crate) checkport: Option<At<u32>>,
    pub(crate) persistent: Option<At<u32>>,
    pub(crate) tcptimeout: Option<At<u32>>,
    pub(crate) tcpfintimeout: Option<At<u32>>,
    pub(crate) udptimeout: Option<At<u32>>,
    pub(crate) syncdaemon: Option<At<String>>,
    pub(crate) syncid: Option<At<u32>>,
    pub(crate) syncgroup: Option<At<IpAddr>>,
    pub(crate) syncport: Option<At<u32>>,
    pub(crate) syncttl: Option<At<u32>>,
    pub(crate) syncmaxlen: Option<At<u32>>,
    pub(crate) autoreload: Option<At<bool>>,
    pub(crate) supervised: Option<At<bool>>,
    pub(crate) fork: Option<At<bool>>,
    pub(crate) quiescent: Option<At<bool>>,
    pub(crate) readdquiescent: Option<At<bool>>,
    pub(crate) cleanstop: Option<At<bool>>,
    pub(crate) standbytable: Option<At<bool>>,
    pub(crate) standbyinterval: Option<At<u32>>,
    pub(crate) ops: Option<At<bool>>,
    pub(crate) logfile: Option<At<String>>,
    pub(crate) maintenancedir: Option<At<String>>,
    pub(crate) monitorfile: Option<At<String>>,
    pub(crate) request: Option<At<String>>,
    pub(crate) receive: Option<At<String>>,
    pub(crate) virtualhost: Option<At<String>>,
    pub(crate) sslverify: Option<At<bool>>,
    pub(crate) sslcafile: Option<At<String>>,
    pub(crate) login: Option<At<String>>,
    pub(crate) passwd: Option<At<String>>,
    pub(crate) database: Option<At<String>>,
    pub(crate) secret: Option<At<String>>,
    pub(crate) checkcommand: Option<At<String>>,
    pub(crate) fallbackcommand: Option<At<String>>,
    pub(crate) fallbackcommandstop: Option<At<bool>>,
    pub(crate) callback: Option<At<String>>,
    /// All of them count.
    pub(crate) executes: Vec<At<String>>,
    pub(crate) emailalert: Option<At<String>>,
    pub(crate) emailalertfreq: Option<At<u32>>,
    pub(crate) emailalertstatus: Option<At<BTreeSet<Phase>>>,
    pub(crate) emailalertfrom: Option<At<String>>,
    pub(crate) smtp: Option<At<String>>,
    pub(crate) comment: Option<At<String>>,
    pub(crate) servicename: Option<At<String>>,
    pub(crate) scheduler: Option<At<String>>,
    pub(crate) schedflags: Option<At<String>>,
    pub(crate) netmask: Option<At<String>>,
    pub(crate) pe: Option<At<String>>,
    pub(crate) tunnel: Option<At<Tunnel>>,
    pub(crate) protocol: Option<At<String>>,
    pub(crate) checktype: Option<At<CheckType>>,
    pub(crate) service: Option<At<Service>>,
    pub(crate) httpmethod: Option<At<Method>>,
    pub(crate) httpstatus: Option<At<Statuses>>,
    pub(crate) maxresponsetime: Option<At<Duration>>,
    pub(crate) certexpirywarn: Option<At<u32>>,
    /// On the clients' way.
    pub(crate) checkpath: Option<At<bool>>,
    pub(crate) checksource: Option<At<IpAddr>>,
    pub(crate) checkdevice: Option<At<String>>,
    pub(crate) checkmark: Option<At<u32>>,
    pub(crate) agentport: Option<At<u16>>,
    pub(crate) agentinterval: Option<At<Duration>>,
    pub(crate) agenttimeout: Option<At<Duration>>,
    pub(crate) agentsend: Option<At<String>>,
    pub(crate) fallback: Option<FallbackLine>,
    pub(crate) fallback6: Option<FallbackLine>,
    /// Those that a later line has replaced, which must be in order all the same.
    pub(crate) replaced: Vec<(Family, FallbackLine)>,
    pub(crate) reals: Vec<RealLine>,
    /// Where values go that are read by the old grammar and not used by this release.
    pub(crate) unused: Option<At<String>>,
}

/// A `real` line, or several servers where it has a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RealLine {
    pub(crate) family: Family,
    pub(crate) host: At<String>,
    /// The last address of a range.
    pub(crate) last: Option<At<String>>,
    pub(crate) port: Option<At<String>>,
    pub(crate) forwarding: Forwarding,
    pub(crate) weight: u32,
    /// Its own request and receive pattern.
    pub(crate) dialogue: Option<(At<String>, At<String>)>,
    pub(crate) lower: u32,
    pub(crate) upper: u32,
    pub(crate) span: Span,
}

/// A `fallback` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FallbackLine {
    pub(crate) host: At<String>,
    pub(crate) port: Option<At<String>>,
    pub(crate) forwarding: Forwarding,
    pub(crate) span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Family {
    V4,
    V6,
}

/// Collects complaints while a file is read; nobody stops at the first one.
#[derive(Debug)]
pub(crate) struct Faults<'a> {
    pub(crate) source: &'a Source,
    found: Vec<Diagnostic>,
}

impl<'a> Faults<'a> {
    pub(crate) fn new(source: &'a Source) -> Self {
        let found = Vec::new();
        Self { source, found }
    }

    pub(crate) fn error(&mut self, span: Span, message: impl Into<String>) {
        self.push(Diagnostic::error(message).at(self.source, span));
    }

    /// An error with advice: a sentence without full stop.
    pub(crate) fn error_with(
        &mut self,
        span: Span,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push(Diagnostic::error(message).at(self.source, span).hint(hint));
    }

    pub(crate) fn warning(&mut self, span: Span, message: impl Into<String>) {
        self.push(Diagnostic::warning(message).at(self.source, span));
    }

    pub(crate) fn warning_with(
        &mut self,
        span: Span,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let warning = Diagnostic::warning(message).at(self.source, span);
        self.push(warning.hint(hint));
    }

    /// A warning about something that is taken here and that the old daemon refuses: the file does
    /// not work with both. `what` says what it is and how it is read.
    pub(crate) fn tolerated(&mut self, span: Span, what: impl std::fmt::Display) {
        self.minor(span, format!("{what}; the old daemon refuses this line"));
    }

    /// A warning that takes one line and no excerpt.
    pub(crate) fn minor(&mut self, span: Span, message: impl Into<String>) {
        self.push(Diagnostic::warning(message).at(self.source, span).minor());
    }

    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    /// All of them in the order of the file's lines.
    pub(crate) fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|one| {
            let position = one.place.as_ref().and_then(|place| place.position.as_ref());
            position.map_or(0, |position| position.line)
        });
        self.found
    }
}
