//! The loop: one message in, the app updated, what it asks for done, the screen drawn if due.
//!
//! Tasks: one per socket (`source::follow`), one per action under way. They report through two
//! bounded queues; keys, signals and the clock are read here.

use crate::{
    app::{App, Effect, Message},
    cli::Options,
    now_ms, source,
    terminal::Screen,
    theme::Theme,
    view,
};
use crossterm::event::{Event, EventStream, KeyEventKind};
use futures_util::StreamExt;
use std::{collections::BTreeSet, io, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{Notify, mpsc},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

/// Lines of all sockets that wait for the app; beyond them the sockets are read more slowly, and
/// a daemon cuts us off before it holds too much.
const TOLD_MAX: usize = 64;

/// Actions under way at once; further results wait in their task.
const ACTED_MAX: usize = 4;

/// Frames are at least this far apart; the first change after a pause waits for [`SETTLE`] only.
const FRAME: Duration = Duration::from_millis(100);

/// One event comes as several lines: what happened, and up to 20 ms later how it is now. Drawing
/// the first alone would put the rest off until the next frame.
const SETTLE: Duration = Duration::from_millis(30);

/// Ages on the screen grow, and new sockets are looked for, this often.
const TICK: Duration = Duration::from_secs(1);

/// Shows the dashboard until the operator or a signal ends it.
pub(crate) async fn run(mut app: App, options: &Options) -> io::Result<()> {
    let theme = Theme::from_env();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (told_sender, mut told) = mpsc::channel(TOLD_MAX);
    let (acted_sender, mut acted) = mpsc::channel(ACTED_MAX);
    let mut outside = Outside {
        told: told_sender,
        acted: acted_sender,
        again: Vec::new(),
        found: Finder::new(options),
    };
    for id in 0..app.sources.len() {
        outside.open(&app, id);
    }
    let mut screen = Screen::enter()?;
    let mut keys = EventStream::new();
    let mut pace = Pace::default();
    pace.changed();
    loop {
        let message = tokio::select! {
            biased;
            () = pace.due() => {
                screen.terminal.draw(|frame| view::draw(&app, theme, frame))?;
                pace.drawn();
                continue;
            }
            _ = terminate.recv() => return Ok(()),
            _ = hang_up.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            key = keys.next() => match key {
                Some(Ok(Event::Key(key))) if key.kind != KeyEventKind::Release => Message::Key(key),
                Some(Ok(Event::Resize(..))) => Message::Tick,
                Some(Ok(_)) => continue,
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
            Some(result) = acted.recv() => Message::Acted(result),
            // Several new sockets get a tick each.
            _ = tick.tick() => outside.found.next().map_or(Message::Tick, Message::Found),
            Some(told) = told.recv() => Message::Told(told),
        };
        pace.changed();
        match app.update(message, now_ms()) {
            Some(Effect::Quit) => return Ok(()),
            Some(effect) => outside.perform(&app, effect),
            None => {}
        }
    }
}

/// What the app cannot do itself.
struct Outside {
    told: mpsc::Sender<source::Told>,
    acted: mpsc::Sender<Result<String, source::Undone>>,
    /// By source: makes its task start anew.
    again: Vec<Arc<Notify>>,
    found: Finder,
}

impl Outside {
    fn perform(&mut self, app: &App, effect: Effect) {
        match effect {
            Effect::Quit => {}
            Effect::Open(id) => self.open(app, id),
            Effect::Reconnect(id) => {
                if let Some(again) = self.again.get(id) {
                    again.notify_one();
                }
            }
            Effect::Act { path, action } => {
                let acted = self.acted.clone();
                tokio::spawn(async move {
                    let result = source::act(&path, action).await;
                    // Nobody listens only when the dashboard is ending.
                    let _ = acted.send(result).await;
                });
            }
        }
    }

    /// Sources are opened in order, so that `again` has a place for each.
    fn open(&mut self, app: &App, id: usize) {
        let Some(source) = app.sources.get(id) else {
            return;
        };
        let again = Arc::new(Notify::new());
        self.again.push(Arc::clone(&again));
        let feed = source::Feed {
            source: id,
            queue: self.told.clone(),
        };
        tokio::spawn(source::follow(source.path.clone(), again, feed));
    }
}

/// Looks for sockets of ldird that came after the start.
struct Finder {
    /// `None` if the command line named the sockets.
    run: Option<PathBuf>,
    known: BTreeSet<PathBuf>,
}

impl Finder {
    fn new(options: &Options) -> Finder {
        Finder {
            run: options.ldird.is_empty().then(|| options.run.clone()),
            known: BTreeSet::new(),
        }
    }

    /// One that was not returned before; the app knows those of the start.
    fn next(&mut self) -> Option<PathBuf> {
        let sockets = source::ldird_sockets(self.run.as_ref()?);
        let fresh = sockets.difference(&self.known).next()?.clone();
        self.known.insert(fresh.clone());
        Some(fresh)
    }
}

/// When to draw.
#[derive(Default)]
struct Pace {
    /// Of the first change that is not on the screen.
    changed: Option<Instant>,
    drawn: Option<Instant>,
}

impl Pace {
    fn changed(&mut self) {
        self.changed.get_or_insert_with(Instant::now);
    }

    fn drawn(&mut self) {
        self.changed = None;
        self.drawn = Some(Instant::now());
    }

    /// Ready when there is something to draw and the last frame is old enough.
    async fn due(&self) {
        let Some(changed) = self.changed else {
            return std::future::pending().await;
        };
        let settled = changed + SETTLE;
        let next = self.drawn.map_or(settled, |drawn| drawn + FRAME);
        sleep_until(next.max(settled)).await;
    }
}
