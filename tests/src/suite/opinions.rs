//! Two directors of different opinion: checks of the active one fail while the other's pass. Before its last
//! real server leaves it asks, by way of both nodes' hbd.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ha_status::{Health, VirtualService};

use super::{Case, Place};
use crate::bed::real_server::Service;
use crate::bed::wait;
use crate::scenario::director::Director;
use crate::scenario::dr::{DirectRouting, PRIMARY, real_names, web_service};
use crate::scenario::programs::Programs;

pub(super) const CASES: &[Case] = &[Case {
    name: "the_last_server_stays_while_another_director_finds_it_up",
    place: Place::Kernel,
    run,
}];

const CF: &str = "ldirectord.cf";
const LIMIT: Duration = Duration::from_secs(40);
/// More than three intervals, and more than the pace of the questions.
const WHILE: Duration = Duration::from_secs(7);

struct Farm {
    cluster: DirectRouting,
}

fn run() -> Result<()> {
    let farm = Farm::new()?;
    farm.stays_and_serves()?;
    farm.leaves_when_it_is_really_dead()?;
    farm.heals()?;
    for program in ["ldird", "hbd"] {
        farm.leaves_while_nobody_answers(program)
            .with_context(|| format!("with a frozen {program} on the other one"))?;
    }
    farm.leaves_where_no_director_is()
}

impl Farm {
    fn new() -> Result<Self> {
        let cluster = DirectRouting::start(&Programs::find()?)?;
        cluster.await_owner(PRIMARY, LIMIT)?;
        for director in cluster.directors() {
            let path = director.host().folder().join("etc").join(CF);
            let text = fs::read_to_string(&path)?;
            // The last server alone counts here, and not for longer than a test takes.
            fs::write(&path, format!("secondopinion=yes\n{text}"))?;
            director.program("ldird", &[CF, "reload"])?;
        }
        let farm = Self { cluster };
        farm.all_is_well()?;
        Ok(farm)
    }

    fn active(&self) -> Result<&Director> {
        self.cluster.director(PRIMARY)
    }

    fn other(&self) -> Result<&Director> {
        self.cluster.director("lb2")
    }

    /// Both directors find every real server up, and the active one balances over them.
    fn all_is_well(&self) -> Result<()> {
        for director in self.cluster.directors() {
            let what = format!("{} finds all of them up", director.name());
            wait::until(&what, LIMIT, || {
                web(director).is_ok_and(|web| {
                    let mut reals = web.reals.iter();
                    reals.all(|real| real.health == Health::Up) && web.opinion.is_none()
                })
            })?;
        }
        let (active, names) = (self.active()?, real_names());
        self.cluster.await_balanced(active, &names, LIMIT).map(drop)
    }

    /// Real servers do not answer the active director any more, as if its cable to the farm were cut.
    /// Clients, whose packets it forwards, and the other director are answered.
    fn cut(&self) -> Result<()> {
        self.on_all("ip route add blackhole 10.10.0.1/32")
    }

    fn mend(&self) -> Result<()> {
        self.on_all("ip route del blackhole 10.10.0.1/32")?;
        self.all_is_well()
    }

    fn on_all(&self, line: &str) -> Result<()> {
        let mut reals = self.cluster.reals().iter();
        reals.try_for_each(|real| real.host().sh(line).map(drop))
    }

    fn stays_and_serves(&self) -> Result<()> {
        self.cut()?;
        let active = self.active()?;
        let mut held = None;
        wait::until("the other director disagrees", LIMIT, || {
            held = web(active).ok().and_then(|web| web.opinion);
            held.as_ref().is_some_and(|held| held.node == "lb2")
        })?;
        let held = held.context("it is shown")?;
        let last = last_of(&held.real)?;
        self.cluster.await_balanced(active, &[last], LIMIT)?;
        let said = active.program("ldird", &[CF, "show"])?;
        ensure!(said.contains("SECOND OPINION for"), "show says\n{said}");
        let serves = || {
            let page = self.cluster.get("/")?;
            ensure!(page.status == 200, "{page:?}");
            let web = web(active)?;
            ensure!(web.opinion.is_some(), "it is held no more: {web:?}");
            let standby = web
                .fallback
                .as_ref()
                .is_some_and(|fallback| !fallback.active);
            ensure!(standby, "the fallback serves: {web:?}");
            Ok(())
        };
        super::watch::throughout(WHILE, serves)
    }

    fn leaves_when_it_is_really_dead(&self) -> Result<()> {
        for real in self.cluster.reals() {
            real.stop(Service::Http)?;
        }
        self.leaves("the other one does not find it up any more")?;
        let words = recent(self.active()?)?;
        let said = words.contains("finds none up any more, either");
        ensure!(said, "it said\n{words}");
        let other = web(self.other()?)?;
        let dead = other.reals.iter().all(|real| real.health == Health::Down);
        ensure!(dead, "{other:?}");
        Ok(())
    }

    fn leaves(&self, why: &str) -> Result<()> {
        let active = self.active()?;
        let what = format!("the last one leaves: {why}");
        wait::until(&what, LIMIT, || {
            web(active).is_ok_and(|web| {
                let none = web.reals.iter().all(|real| real.table_weight.is_none());
                none && web.fallback.is_some_and(|fallback| fallback.active)
            })
        })
        .map(drop)
    }

    fn heals(&self) -> Result<()> {
        for real in self.cluster.reals() {
            real.start_and_await(Service::Http)?;
        }
        self.mend()
    }

    fn leaves_while_nobody_answers(&self, program: &str) -> Result<()> {
        let other = self.other()?.host();
        ensure!(other.freeze(program) > 0, "there is no {program}");
        self.cut()?;
        self.leaves("nobody answers")?;
        other.thaw(program);
        self.mend()
    }

    fn leaves_where_no_director_is(&self) -> Result<()> {
        let other = self.other()?.host();
        ensure!(other.signal("ldird", rustix::process::Signal::KILL) > 0);
        self.cut()?;
        self.leaves("there is no other director")?;
        let words = recent(self.active()?)?;
        let said = words.contains("no director on lb2 has this virtual server");
        ensure!(said, "it said\n{words}");
        Ok(())
    }
}

fn web(director: &Director) -> Result<VirtualService> {
    let shown = director.balancing()?;
    let mut services = shown.services.into_iter();
    let web = services.find(|service| service.id == web_service());
    web.context("the web is not shown")
}

/// What it said lately.
fn recent(director: &Director) -> Result<String> {
    let recent = director.balancing()?.recent;
    let words = recent.into_iter().map(|notice| notice.text);
    Ok(words.collect::<Vec<_>>().join("\n"))
}

/// `web2` of `10.10.0.12:80`.
fn last_of(address: &str) -> Result<&'static str> {
    let names = real_names();
    let place = (11..)
        .zip(names)
        .find(|(last, _)| address == format!("10.10.0.{last}:80"));
    let (_, name) = place.with_context(|| format!("{address} is no real server"))?;
    Ok(name)
}
