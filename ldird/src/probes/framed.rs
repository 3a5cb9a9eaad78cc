//! What a file adds to a check of any kind: where it is asked from, and how long a good answer may
//! take. The check itself knows nothing of it.
//!
//! The frame is put around each single question, inside a combined check and inside a thread of its
//! own, so that the time of one question is measured by the clock of the thread that asks it.

use super::{Answer, Apart, Dialler, Means, Probe, Turn};
use ldird_core::input::Finding;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Frame {
    /// Where its connections come from; `None` leaves that to the kernel.
    pub(crate) origin: Option<Arc<Dialler>>,
    /// `maxresponsetime`: a server that is up but slower has failed.
    pub(crate) limit: Option<Duration>,
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
        answer
    }
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
