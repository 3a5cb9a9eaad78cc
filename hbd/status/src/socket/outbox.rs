//! One client's bounded queue of lines on their way out.
//!
//! Nothing is ever dropped from the middle: a client that does not read is cut off with one line
//! that says so, because a follower with a hole in its picture is worse than one that reconnects.

use super::codec::encode;
use crate::Reply;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// Lines that may wait for one client.
pub(super) const LINES_MAX: usize = 1024;

/// Bytes that may wait for one client; a single longer line is let through an empty queue.
pub(super) const BYTES_MAX: usize = 8 * 1024 * 1024;

const TOO_SLOW: &str = "cut off: too slow in reading, connect again";

#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: Mutex<Queue>,
    wake: Notify,
    /// A line has left the queue.
    gone: Notify,
}

#[derive(Debug)]
struct Queue {
    /// When the client last asked for something, or took something off our hands.
    active: Instant,
    /// Each with whether it is of a snapshot in pages.
    lines: VecDeque<(Arc<str>, bool)>,
    /// How many of them are; and the bytes of the others.
    pages: usize,
    bytes: usize,
    /// No more lines are taken; those waiting still go out.
    closed: bool,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            active: Instant::now(),
            lines: VecDeque::new(),
            pages: 0,
            bytes: 0,
            closed: false,
        }
    }
}

impl Outbox {
    /// The client is doing something.
    pub(super) fn touch(&self) {
        self.queue().active = Instant::now();
    }

    /// For how long it has done nothing.
    pub(super) fn idle(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.queue().active)
    }

    /// Drops what waits and tells the client why it must go.
    pub(super) fn cut(&self, why: &str) {
        self.queue().cut(why);
        self.wake.notify_one();
    }

    /// Queues a reply's lines. Those of a large snapshot count towards no limit, but there is only
    /// one of them at a time. False if the client is gone, or is cut off now.
    pub(super) fn push_all(&self, lines: &[Arc<str>]) -> bool {
        if let [line] = lines {
            return self.push(line);
        }
        let mut queue = self.queue();
        if queue.closed {
            return false;
        }
        let accepted = queue.pages == 0;
        if accepted {
            queue.pages = lines.len();
            let pages = lines.iter().map(|line| (Arc::clone(line), true));
            queue.lines.extend(pages);
        } else {
            queue.cut(TOO_SLOW);
        }
        drop(queue);
        self.wake.notify_one();
        accepted
    }

    /// Waits until no snapshot and not much else is on its way: a client that asks and does not read
    /// is not answered again.
    pub(super) async fn room(&self) {
        loop {
            {
                let queue = self.queue();
                let much = queue.pages > 0 || queue.bytes > BYTES_MAX / 2;
                if queue.closed || !much {
                    return;
                }
            }
            self.gone.notified().await;
        }
    }

    /// Queues a line for the client. False if it is gone, or is cut off now.
    pub(super) fn push(&self, line: &Arc<str>) -> bool {
        let mut queue = self.queue();
        if queue.closed {
            return false;
        }
        let waiting = queue.lines.len().saturating_sub(queue.pages);
        let fits = waiting < LINES_MAX && queue.bytes.saturating_add(line.len()) <= BYTES_MAX;
        let accepted = fits || waiting == 0;
        if accepted {
            queue.bytes = queue.bytes.saturating_add(line.len());
            queue.lines.push_back((Arc::clone(line), false));
        } else {
            queue.cut(TOO_SLOW);
        }
        drop(queue);
        self.wake.notify_one();
        accepted
    }

    /// Takes no more lines; those waiting still go out.
    pub(super) fn close(&self) {
        self.queue().closed = true;
        self.wake.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.queue().closed
    }

    /// The next line to write, `None` after the last. For one caller at a time.
    pub(super) async fn next(&self) -> Option<Arc<str>> {
        loop {
            {
                let mut queue = self.queue();
                if let Some((line, page)) = queue.lines.pop_front() {
                    if page {
                        queue.pages = queue.pages.saturating_sub(1);
                    } else {
                        queue.bytes = queue.bytes.saturating_sub(line.len());
                    }
                    self.gone.notify_one();
                    return Some(line);
                }
                if queue.closed {
                    return None;
                }
            }
            self.wake.notified().await;
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("no holder of this lock can panic")
    }
}

impl Queue {
    fn cut(&mut self, why: &str) {
        let text = why.to_owned();
        self.lines.clear();
        self.pages = 0;
        self.bytes = 0;
        self.lines
            .push_back((encode(&Reply::Error { text }).into(), false));
        self.closed = true;
    }
}
