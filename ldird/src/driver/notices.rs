//! What the core tells: to whom it is passed on, and what follows from it.

use super::{Driver, End};
use crate::config::Configuration;
use crate::wording;
use ldird_core::output::Notice;

impl<R: FnOnce(&Configuration)> Driver<R> {
    pub(super) fn noticed(&mut self, notice: &Notice) {
        // Said once; what follows is done each time.
        if !matches!(notice, Notice::NoOpinion { first: false, .. }) {
            self.tell(&wording::line(notice));
        }
        self.mail_notice(notice);
        match notice {
            Notice::Up { service, .. }
            | Notice::Down { service, .. }
            | Notice::Panic { service, .. }
            | Notice::PanicOver { service, .. }
            | Notice::SecondOpinion { service, .. }
            | Notice::SecondOpinionOver { service, .. }
            | Notice::OpinionShared { service, .. }
            | Notice::NoOpinion { service, .. }
            | Notice::AgentAsks { service, .. } => self.reconsider(*service),
            Notice::Started => self.started(),
            Notice::Reloaded => self.in_force(),
            Notice::Turned(role) => {
                self.turned(*role);
                self.feed_sync(ldird_core::sync::Input::Turned(*role));
            }
            Notice::Prepared { whole } => self.answer_preparations(*whole),
            Notice::OverrideEnded {
                service,
                real,
                says,
            } => self.order_ended((*service, *real), *says),
            Notice::TableUnreadable(error) if self.ready.is_some() => {
                self.end = Some(End::NeverStarted(error.clone()));
            }
            Notice::ServiceAdded(_)
            | Notice::ServiceChanged(_)
            | Notice::ServicePurged { .. }
            | Notice::RealAdded { .. }
            | Notice::RealReadded { .. }
            | Notice::RealRestored { .. }
            | Notice::RealQuiesced { .. }
            | Notice::RealDeleted { .. }
            | Notice::RealPurged { .. }
            | Notice::FallbackAdded { .. }
            | Notice::FallbackDeleted { .. }
            | Notice::SoftFailure { .. }
            | Notice::SoftFailureReset { .. }
            | Notice::LeavesLater { .. }
            | Notice::Rising { .. }
            | Notice::RealWeighted { .. }
            | Notice::Enforced { .. }
            | Notice::CertificateEnds { .. }
            | Notice::AgentSilent { .. }
            | Notice::AgentAnswers { .. }
            | Notice::CouldNotAsk { .. }
            | Notice::AskedAgain
            | Notice::NobodyServes(_)
            | Notice::ServedAgain(_)
            | Notice::EditFailed { .. }
            | Notice::MoreEditsFailed(_)
            | Notice::TableUnreadable(_)
            | Notice::Drift(_)
            | Notice::HeldBack
            | Notice::ShutdownStarted => {}
        }
    }

    /// The table is as the file says for the first time.
    fn started(&mut self) {
        if let Some(ready) = self.ready.take() {
            ready(&self.configuration);
        }
        self.in_force();
        self.start_others();
        let role = self.director.role();
        self.feed_sync(ldird_core::sync::Input::Turned(role));
    }
}
