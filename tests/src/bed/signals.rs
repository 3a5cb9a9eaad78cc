//! Signals that end the lab or resize its terminal, turned into flags that loops look at.
//!
//! Ends nothing itself: whoever loops returns an error, and everything is put back on the way out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};

/// From the first call of [`Signals::watch`] on, these signals only set flags.
#[derive(Clone, Default)]
pub struct Signals(Arc<Flags>);

#[derive(Default)]
struct Flags {
    /// The signal number that asks the lab to end; zero for none.
    ending: AtomicI32,
    resized: AtomicBool,
}

impl Signals {
    pub fn watch() -> Result<Self> {
        let signals = Self::default();
        let flags = Arc::clone(&signals.0);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot watch signals")?;
        let guard = runtime.enter();
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let mut resize = signal(SignalKind::window_change())?;
        drop(guard);
        thread::spawn(move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = interrupt.recv() => flags.end(SignalKind::interrupt()),
                        _ = terminate.recv() => flags.end(SignalKind::terminate()),
                        _ = hangup.recv() => flags.end(SignalKind::hangup()),
                        _ = resize.recv() => flags.resized.store(true, Ordering::Relaxed),
                    }
                }
            });
        });
        Ok(signals)
    }

    /// The signal that asked the lab to end, if one did.
    pub fn ending(&self) -> Option<i32> {
        Some(self.0.ending.load(Ordering::Relaxed)).filter(|number| *number != 0)
    }

    /// Whether the terminal changed its size since the last question.
    pub fn take_resized(&self) -> bool {
        self.0.resized.swap(false, Ordering::Relaxed)
    }
}

impl Flags {
    fn end(&self, kind: SignalKind) {
        self.ending.store(kind.as_raw_value(), Ordering::Relaxed);
    }
}
