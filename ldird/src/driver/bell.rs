//! A bell for sources of events that are seldom ready: they are looked at when one of them has rung,
//! not each time that the loop waits. Looking at fifteen of them in vain took a quarter of all
//! instructions of a check.
//!
//! A source must remember whom to wake when the future that waited for it is dropped. Channels,
//! signals, intervals, join handles and sets that are not empty do; what waits by `watch`, `Notify`,
//! a semaphore or a sleep of its own does not. A source that begins to have something to wait for (a
//! first task, another handle) is not known to the bell: whoever begins it rings.

use futures_util::task::AtomicWaker;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

#[derive(Debug)]
pub(super) struct Bell {
    rope: Arc<Rope>,
    /// The same for those who are waited for.
    waker: Waker,
}

#[derive(Debug)]
struct Rope {
    rung: AtomicBool,
    /// Who waits for the sources.
    listener: AtomicWaker,
}

impl Wake for Rope {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.listener.wake();
    }
}

impl Bell {
    /// It has rung: nobody has looked yet.
    pub(super) fn new() -> Self {
        let rope = Arc::new(Rope {
            rung: AtomicBool::new(true),
            listener: AtomicWaker::new(),
        });
        let waker = Waker::from(Arc::clone(&rope));
        Self { rope, waker }
    }

    /// Something may have begun: the sources are looked at before the loop waits again. Wakes nobody,
    /// for it is the loop that says so.
    pub(super) fn ring(&self) {
        self.rope.rung.store(true, Ordering::Release);
    }

    /// Has it rung since the last time? If not, the task of this context is woken when it does.
    pub(super) fn has_rung(&self, context: &Context<'_>) -> bool {
        // In this order: who rings in between is seen.
        self.rope.listener.register(context.waker());
        self.rope.rung.swap(false, Ordering::AcqRel)
    }

    /// Looks at the sources once. Whoever gets something rings: others may be ready as well.
    pub(super) fn look<T>(waker: &Waker, sources: impl Future<Output = T>) -> Poll<T> {
        pin!(sources).poll(&mut Context::from_waker(waker))
    }

    /// For those sources.
    pub(super) fn waker(&self) -> Waker {
        self.waker.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::Bell;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Wake, Waker};
    use tokio::sync::mpsc;

    /// Counts how often the loop was woken.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn sources_are_looked_at_once_and_then_when_one_has_rung() {
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let context = Context::from_waker(&waker);
        let woken = || count.0.load(Ordering::Relaxed);
        let (sender, mut receiver) = mpsc::channel(2);
        let bell = Bell::new();
        assert!(bell.has_rung(&context), "nobody has looked yet");
        let looked = Bell::look(&bell.waker(), receiver.recv());
        assert_eq!((looked, woken()), (Poll::Pending, 0));
        assert!(!bell.has_rung(&context));
        // The future that waited is gone, and the loop is woken all the same.
        sender.try_send(7).expect("there is room");
        assert_eq!(woken(), 1);
        assert!(bell.has_rung(&context));
        let looked = Bell::look(&bell.waker(), receiver.recv());
        assert_eq!(looked, Poll::Ready(Some(7)));
        assert_eq!(Bell::look(&bell.waker(), receiver.recv()), Poll::Pending);
        assert!(!bell.has_rung(&context));
    }

    #[test]
    fn whoever_begins_something_rings_and_wakes_nobody() {
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let context = Context::from_waker(&waker);
        let bell = Bell::new();
        assert!(bell.has_rung(&context));
        bell.ring();
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        assert!(bell.has_rung(&context) && !bell.has_rung(&context));
    }
}
