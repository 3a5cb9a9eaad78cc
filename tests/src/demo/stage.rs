//! The cluster as a person plays with it: a steady load, a probe of the address, things that can be
//! broken and brought back, and a place where the dashboard finds the director that is in charge.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::action::Action;
use super::load::Load;
use crate::bed::probe::Probe;
use crate::bed::real_server::{RealServer, Service};
use crate::bed::{say, wait};
use crate::scenario::director::Director;
use crate::scenario::dr::{self, DirectRouting, PRIMARY, VIP};
use crate::scenario::programs::Programs;

/// Until both directors are up at the start.
const START_LIMIT: Duration = Duration::from_secs(60);
/// For an action under way at the end.
const END_LIMIT: Duration = Duration::from_secs(30);
const PROBE_INTERVAL: Duration = Duration::from_millis(10);
/// A probe ends by itself after ten minutes; a person may look for longer.
const PROBE_AGE: Duration = Duration::from_secs(300);
/// Whoever answered last within this time is who answers now.
const FRESH: Duration = Duration::from_millis(300);
const VIEW_EVERY: Duration = Duration::from_millis(50);

/// The cluster with everything around it. Dropping it ends all.
pub(super) struct Stage {
    // In the order of ending.
    load: Load,
    probe: Mutex<Watched>,
    cluster: DirectRouting,
    /// One action at a time.
    acting: Mutex<()>,
    /// Directors whose cable is cut: nobody there can be the one in charge.
    cut: Mutex<Vec<String>>,
}

/// The probe and since when its gaps are of interest.
struct Watched {
    probe: Probe,
    started: Instant,
    since: Option<Instant>,
}

impl Stage {
    /// Builds the cluster, waits until it serves, starts the load.
    pub(super) fn set(programs: &Programs) -> Result<Arc<Self>> {
        say("starting two directors, three real servers and a client");
        let cluster = DirectRouting::start(programs)?;
        if let Err(error) = cluster.await_owner(PRIMARY, START_LIMIT) {
            for director in cluster.directors() {
                say(&format!(
                    "{} said:\n{}",
                    director.name(),
                    director.last_words()
                ));
            }
            return Err(error);
        }
        let probe = Probe::start(cluster.client(), VIP, PROBE_INTERVAL)?;
        Ok(Arc::new(Self {
            load: Load::start(cluster.client(), dr::web()),
            probe: Mutex::new(Watched {
                probe,
                started: Instant::now(),
                since: None,
            }),
            cluster,
            acting: Mutex::default(),
            cut: Mutex::default(),
        }))
    }

    /// Breaks or mends something and tells what it was.
    pub(super) fn act(&self, action: Action) -> Result<String> {
        let _alone = lock(&self.acting);
        self.forget_gaps()?;
        match action {
            Action::KillPrimary => {
                let director = self.in_charge()?;
                director.power_off()?;
                Ok(format!("{} lost its power", director.name()))
            }
            Action::CutCable => {
                let director = self.in_charge()?;
                director.host().cut()?;
                lock(&self.cut).push(director.name().to_owned());
                Ok(format!("the cable of {} is cut", director.name()))
            }
            Action::StopReal => {
                let real = self.living_real()?;
                for service in Service::ALL {
                    real.stop(service)?;
                }
                Ok(format!("the servers of {} are dead", real.host().name()))
            }
            Action::BringBack => self.bring_back(),
        }
    }

    /// Words that lead into a host when a command is appended.
    pub(super) fn enter(&self, name: &str) -> Result<Vec<String>> {
        let host = self.cluster.host(name);
        let host = host.with_context(|| format!("there is no host {name}"))?;
        let command = host.command("env")?;
        let words = [command.get_program()]
            .into_iter()
            .chain(command.get_args());
        words
            .map(|word| {
                word.to_str()
                    .map(str::to_owned)
                    .context("a word that is not UTF-8")
            })
            .collect()
    }

    /// What is going on, in two lines of at most 78 columns.
    pub(super) fn figures(&self) -> Vec<String> {
        let rates = self.load.rates();
        // From zero: the sum of nothing is -0.
        let total = rates.by_server.values().fold(0.0, |sum, rate| sum + rate);
        let mut load = format!("client {total:>4.0} answers/s:");
        for name in dr::real_names() {
            let rate = rates.by_server.get(name).copied().unwrap_or_default();
            let _ = write!(load, "  {name} {rate:>3.0}");
        }
        let _ = write!(load, "   failed {:>2.0}", rates.failed);
        vec![load, self.describe_address()]
    }

    /// Keeps `link` pointing at `/run` of the director in charge, until the stage is gone.
    ///
    /// A dashboard that loses its director thus finds the next one at the same place. One that does not
    /// lose it, because only the cable was cut, is to be told by `moved`.
    pub(super) fn keep_view(
        self: &Arc<Self>,
        link: PathBuf,
        moved: impl Fn() + Send + 'static,
    ) -> Result<()> {
        let first = self.in_charge()?;
        let mut shown = first.name().to_owned();
        point(&link, &first.run_folder())?;
        let stage = Arc::downgrade(self);
        thread::spawn(move || {
            while let Some(stage) = stage.upgrade() {
                if let Ok(director) = stage.in_charge()
                    && director.name() != shown
                    && point(&link, &director.run_folder()).is_ok()
                {
                    if lock(&stage.cut).contains(&shown) {
                        moved();
                    }
                    director.name().clone_into(&mut shown);
                }
                drop(stage);
                thread::sleep(VIEW_EVERY);
            }
        });
        Ok(())
    }

    /// Who answers at the address; while nobody does, who could be asked next.
    fn in_charge(&self) -> Result<&Director> {
        let owner = lock(&self.probe).probe.owner(FRESH);
        let cut = lock(&self.cut).clone();
        let mut reachable = self.cluster.directors().iter().filter(|director| {
            director.host().is_on() && !cut.iter().any(|name| name == director.name())
        });
        let answering = reachable
            .clone()
            .find(|director| owner.as_deref() == Some(director.name()));
        let found = answering.or_else(|| reachable.next());
        found.context("no director is left: bring one back first")
    }

    fn living_real(&self) -> Result<&RealServer> {
        let mut reals = self.cluster.reals().iter();
        let living = reals.find(|real| !real.host().processes("nginx").is_empty());
        living.context("no real server is left: bring one back first")
    }

    fn bring_back(&self) -> Result<String> {
        let mut back = Vec::new();
        for name in lock(&self.cut).drain(..) {
            let host = self.cluster.director(&name)?.host();
            if host.is_on() {
                host.join()?;
                back.push(format!("{name}'s cable"));
            }
        }
        for director in self.cluster.directors() {
            if !director.host().is_on() {
                director.power_on()?;
                back.push(director.name().to_owned());
            }
        }
        for real in self.cluster.reals() {
            if real.host().processes("nginx").is_empty() {
                for service in Service::ALL {
                    real.start_and_await(service)?;
                }
                back.push(real.host().name().to_owned());
            }
        }
        if back.is_empty() {
            bail!("nothing is broken");
        }
        Ok(format!("back: {}", back.join(", ")))
    }

    /// From now on, only later gaps count.
    fn forget_gaps(&self) -> Result<()> {
        let mut watched = lock(&self.probe);
        if watched.started.elapsed() > PROBE_AGE {
            watched.renew(&self.cluster)?;
        }
        watched.since = Some(Instant::now());
        Ok(())
    }

    fn describe_address(&self) -> String {
        let mut watched = lock(&self.probe);
        // A gap that is being shown is worth more than a probe that would soon end.
        if watched.started.elapsed() > PROBE_AGE && watched.probe.owner(FRESH).is_some() {
            let _ = watched.renew(&self.cluster);
        }
        let owner = watched.probe.owner(FRESH);
        let owner = owner.map_or("answered by nobody".to_owned(), |name| {
            format!("answered by {name}")
        });
        let gap = watched.since.map(|since| watched.probe.longest_gap(since));
        let gap = gap.map_or(String::new(), |gap| {
            let length = gap.length.as_millis();
            match (gap.before, gap.after) {
                (Some(before), Some(after)) if before != after => {
                    format!("   longest silence {length} ms, {before} to {after}")
                }
                (_, Some(_)) => format!("   longest silence {length} ms"),
                (_, None) => format!("   silent for {length} ms"),
            }
        });
        format!("{VIP} {owner}{gap}")
    }
}

impl Watched {
    fn renew(&mut self, cluster: &DirectRouting) -> Result<()> {
        self.probe = Probe::start(cluster.client(), VIP, PROBE_INTERVAL)?;
        self.started = Instant::now();
        self.since = None;
        Ok(())
    }
}

/// Takes the stage down. Whoever still answers the menu or watches may finish first.
pub(super) fn end(stage: Arc<Stage>) -> Result<()> {
    let mut held = Some(stage);
    wait::for_some("the lab's threads let go", END_LIMIT, || {
        match held.take().map(Arc::try_unwrap) {
            Some(Err(stage)) => {
                held = Some(stage);
                Ok(None)
            }
            Some(Ok(stage)) => {
                drop(stage);
                Ok(Some(()))
            }
            None => Ok(Some(())),
        }
    })
}

/// Swaps a symbolic link in one step.
fn point(link: &Path, target: &Path) -> Result<()> {
    let fresh = link.with_extension("new");
    let _ = fs::remove_file(&fresh);
    std::os::unix::fs::symlink(target, &fresh)?;
    Ok(fs::rename(&fresh, link)?)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
