//! The loop's timer: one for its whole life, because to make one for each turn costs more.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::time::{Sleep, sleep_until};

#[derive(Debug)]
pub(super) struct Timer {
    sleep: Pin<Box<Sleep>>,
    due: Option<Instant>,
}

impl Timer {
    /// Needs a runtime.
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            sleep: Box::pin(sleep_until(now.into())),
            due: None,
        }
    }

    pub(super) fn set(&mut self, due: Option<Instant>) {
        if let Some(at) = due
            && self.due != due
        {
            self.sleep.as_mut().reset(at.into());
        }
        self.due = due;
    }

    /// Ready if it is time, again and again until another time is set; pending if none is.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match self.due {
            Some(_) => self.sleep.as_mut().poll(context),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Timer;
    use futures_util::FutureExt as _;
    use std::future::poll_fn;
    use std::time::{Duration, Instant};

    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn a_timer_is_ready_from_its_time_until_it_is_set_anew() {
        let mut timer = Timer::new();
        let mut is_ready = |due: Option<Instant>| {
            timer.set(due);
            poll_fn(|context| timer.poll(context)).now_or_never()
        };
        let past = Some(Instant::now());
        assert_eq!(is_ready(None), None);
        assert_eq!(is_ready(Some(Instant::now() + HOUR)), None);
        timer.set(past);
        for _ in 0..2 {
            poll_fn(|context| timer.poll(context)).await;
        }
        let mut is_ready = |due: Option<Instant>| {
            timer.set(due);
            poll_fn(|context| timer.poll(context)).now_or_never()
        };
        assert_eq!(is_ready(past), Some(()), "as long as it is not set anew");
        assert_eq!(is_ready(None), None);
        assert_eq!(is_ready(Some(Instant::now() + HOUR)), None);
    }
}
