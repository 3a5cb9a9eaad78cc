//! What a file adds to a check of any kind: where it is asked from, and how long a good answer may
//! take. The check itself knows nothing of it.
//!
//! The frame is put around each single question, inside a combined check and inside a thread of its
//! own, so that the time of one question is measured by the clock of the thread that asks it.

use super::path::Walked;
use super::{Answer, Apart, Dialler, Means, Path, Probe, Turn};
use ldird_core::input::{Finding, Validity};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Frame {
    /// Where its connections come from; `None` leaves that to the kernel.
    pub(crate) origin: Option<Arc<Dialler>>,
    /// `maxresponsetime`: a server that is up but slower has failed.
    pub(crate) limit: Option<Duration>,
    /// `checkpath=vip`: a server that is up has to be so on the clients' way as well.
    pub(crate) path: Option<Path>,
    /// `certexpirywarn`: so many days before a certificate ends that is told.
    pub(crate) warn_days: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Framed {
    frame: Arc<Frame>,
    probe: Box<Probe>,
}

impl Framed {
    /// The probe itself where there is nothing to add.
    pub(crate) fn around(frame: &Arc<Frame>, probe: Probe) -> Probe {
        if **frame == Frame::default() {
            return probe;
        }
        match probe {
            Probe::Combined {
                every,
                negotiate,
                connect,
            } => Probe::Combined {
                every,
                negotiate: Box::new(Self::around(frame, *negotiate)),
                connect: Box::new(Self::around(frame, *connect)),
            },
            Probe::Apart(apart) => Apart::of(Self::around(frame, apart.into_inner())),
            single => Probe::Framed(Self {
                frame: Arc::clone(frame),
                probe: Box::new(single),
            }),
        }
    }

    pub(super) fn origin(&self) -> Option<&Dialler> {
        self.frame.origin.as_deref()
    }

    /// The question without what is around it.
    pub(super) fn inner(&self) -> &Probe {
        &self.probe
    }

    pub(super) async fn ask(&self, means: &Means) -> Answer {
        let means = match &self.frame.origin {
            Some(origin) => &means.from(origin),
            None => means,
        };
        let (start, lost) = (Instant::now(), means.awake.lost());
        // In a box, because it is part of itself; what is inside has one step only.
        let (mut answer, _) = Box::pin(self.probe.ask(Turn::default(), means)).await;
        let lost = Duration::from_micros(means.awake.lost().saturating_sub(lost));
        // What we did not run is no time of the server's.
        let took = start.elapsed().saturating_sub(lost);
        match (answer.finding, self.frame.limit) {
            (Finding::Up, Some(limit)) if took > limit => {
                answer.finding = Finding::Down;
                let (took, limit) = (in_words(took), in_words(limit));
                answer.message = format!("{}, answered in {took}, limit {limit}", answer.message);
            }
            (Finding::CouldNotAsk, _) => {
                if let Some(origin) = &self.frame.origin {
                    answer.message = format!("{} (asked {origin})", answer.message);
                }
            }
            (Finding::Up | Finding::Down, _) => {}
        }
        if let (Finding::Up, Some(path)) = (answer.finding, &self.frame.path)
            && let Walked::Not(walked) = path.walk(means).await
        {
            answer.finding = walked.finding;
            answer.message = format!("{}, but {}", answer.message, walked.message);
        }
        self.warn(&mut answer);
        answer
    }

    /// A certificate that ends soon is told behind what was found.
    fn warn(&self, answer: &mut Answer) {
        let (Some(certificate), Some(days)) = (&mut answer.certificate, self.frame.warn_days)
        else {
            return;
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now_ms = now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
        certificate.near = near(certificate.until_ms, now_ms, days);
        if let Some(left) = certificate.near {
            answer.message = format!("{}; the certificate {left}", answer.message);
        }
    }
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// What is left, if it is not more than so many days.
fn near(until_ms: u64, now_ms: u64, days: u32) -> Option<Validity> {
    let left = until_ms.saturating_sub(now_ms);
    if left == 0 {
        return Some(Validity::Nothing);
    }
    let whole = u32::try_from(left / DAY_MS).ok()?;
    (left <= u64::from(days) * DAY_MS).then_some(Validity::Days(whole))
}

/// `2.3 s`, or `340 ms` below one second.
fn in_words(time: Duration) -> String {
    let milliseconds = time.as_millis();
    if milliseconds < 1000 {
        return format!("{milliseconds} ms");
    }
    let tenths = milliseconds / 100;
    match tenths % 10 {
        0 => format!("{} s", tenths / 10),
        rest => format!("{}.{rest} s", tenths / 10),
    }
}

#[cfg(test)]
mod tests;
