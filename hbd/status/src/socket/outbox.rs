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

#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: Mutex<Queue>,
    wake: Notify,
}

#[derive(Debug)]
struct Queue {
    /// When the client last asked for something, or took something off our hands.
    active: Instant,
    lines: VecDeque<Arc<str>>,
    bytes: usize,
    /// No more lines are taken; those waiting still go out.
    closed: bool,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            active: Instant::now(),
            lines: VecDeque::new(),
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

    /// Queues a line for the client. False if it is gone, or is cut off now.
    pub(super) fn push(&self, line: &Arc<str>) -> bool {
        let mut queue = self.queue();
        if queue.closed {
            return false;
        }
        let fits =
            queue.lines.len() < LINES_MAX && queue.bytes.saturating_add(line.len()) <= BYTES_MAX;
        let accepted = fits || queue.lines.is_empty();
        if accepted {
            queue.bytes = queue.bytes.saturating_add(line.len());
            queue.lines.push_back(Arc::clone(line));
        } else {
            queue.cut("cut off: too slow in reading, connect again");
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
                if let Some(line) = queue.lines.pop_front() {
                    queue.bytes = queue.bytes.saturating_sub(line.len());
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
        self.bytes = 0;
        self.lines.push_back(encode(&Reply::Error { text }).into());
        self.closed = true;
    }
}
