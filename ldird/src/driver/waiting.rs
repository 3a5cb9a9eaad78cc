//! What the loop waits for, and in which order it is heard.

use super::bell::Bell;
use super::{Driver, Event};
use crate::config::Configuration;
use crate::disk::finished;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::select;

impl<R: FnOnce(&Configuration)> Driver<R> {
    pub(super) async fn next(&mut self) -> Event {
        let due = [self.seldom_due(), self.director.deadline()];
        self.timer.set(due.into_iter().flatten().min());
        poll_fn(|context| self.poll_next(context)).await
    }

    /// What comes with every check is looked at each time, the rest when it has rung.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        if self.bell.has_rung(context) {
            let waker = self.bell.waker();
            if let Poll::Ready(event) = Bell::look(&waker, self.seldom()) {
                return Poll::Ready(event);
            }
        }
        if self.timer.poll(context).is_ready() {
            return Poll::Ready(Event::Due);
        }
        if let Poll::Ready(Some(probed)) = self.answers.poll_recv(context) {
            return Poll::Ready(Event::Probed(probed));
        }
        // Last, so that no client can keep the checks waiting.
        pin!(self.view.control.next())
            .poll(context)
            .map(Event::Request)
    }

    /// Sources that the bell is for: see there what they must be like.
    async fn seldom(&mut self) -> Event {
        select! {
            biased;
            signal = self.signals.next() => Event::Signal(signal),
            outcome = self.kernel.outcome() => Event::Kernel(outcome),
            _ = self.quit.recv() => Event::Quit,
            loaded = self.reloads.loaded() => Event::Loaded(Box::new(loaded)),
            names = self.naming.found() => Event::Named(names),
            error = self.standing_file.written() => Event::Standing(error),
            error = self.orders.written() => Event::Orders(error),
            done = self.aside.done() => Event::Aside(done),
            delivered = self.post.delivered() => Event::Delivered(delivered),
            siblings = finished(&mut self.asking) => Event::Siblings(siblings),
            answer = self.sync.answer() => Event::Synchronised(answer),
            advice = self.advisers.answered() => Event::Advised(advice),
            // Once a second, and the sign of life for the service manager.
            _ = self.looks.tick() => Event::Look,
            found = self.disk.next() => Event::Found(found),
        }
    }

    /// When something is due that the core of the table knows nothing of.
    pub(super) fn seldom_due(&self) -> Option<Instant> {
        let own = [self.publish_at, self.stop_by, self.turns.due];
        let cores = [self.post.deadline(), self.sync.deadline()];
        own.into_iter().chain(cores).flatten().min()
    }
}
