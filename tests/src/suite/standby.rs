//! The warm standby on a real kernel, through the resource's script: the table goes in at once and
//! out again, and no death of the director makes it active where it is not.

use std::process::{Child, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use ha_status::{Health, Role};
use rustix::process::Signal;

use super::balancing::{CF, FARM, Farm, LIMIT, weights};
use super::ownership::figure;
use super::{Case, Place};
use crate::bed::wait;
use crate::scenario::table::Table;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "warm_standby_puts_its_table_in_when_the_script_says_start",
        place: Place::Kernel,
        run: goes_in_and_out,
    },
    Case {
        name: "killed_director_comes_back_in_its_role_and_never_in_another",
        place: Place::Kernel,
        run: killed_in_either_role,
    },
    Case {
        name: "frozen_active_director_is_ended_by_a_stop_and_its_table_is_out",
        place: Place::Kernel,
        run: frozen,
    },
    Case {
        name: "resident_director_takes_over_from_a_started_one_without_a_gap",
        place: Place::Kernel,
        run: takes_over,
    },
];

const SCRIPT: &str = "/etc/ha.d/resource.d/ldirectord";

/// A director as the service manager runs it, under the name that the unit gives it.
struct Service(Child);

impl Service {
    fn start(farm: &Farm) -> Result<Self> {
        let child = farm
            .host()
            .command("ldird")?
            .args(["run", "--standby"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self(child))
    }

    fn kill(mut self) -> Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

/// All real servers have been found well, and it is on duty like this.
fn knows(farm: &Farm, role: Role) -> Result<()> {
    wait::until("every verdict is known", LIMIT, || {
        farm.director.balancing().is_ok_and(|shown| {
            let mut reals = shown.services.iter().flat_map(|service| &service.reals);
            shown.duty.role == role && reals.all(|real| real.health == Health::Up)
        })
    })?;
    Ok(())
}

/// Exit code and what a manager reads of the script, by the name that haresources has.
fn script(farm: &Farm, action: &str) -> Result<(i32, String)> {
    let output = farm.host().command(SCRIPT)?.args([CF, action]).output()?;
    let code = output.status.code().context("the script was killed")?;
    Ok((code, String::from_utf8(output.stdout)?.trim().to_owned()))
}

fn expect(farm: &Farm, action: &str, code: i32) -> Result<()> {
    let said = script(farm, action)?;
    ensure!(said.0 == code, "{action} ended with {said:?}");
    Ok(())
}

fn says(farm: &Farm, code: i32, word: &str) -> Result<()> {
    let said = script(farm, "status")?;
    ensure!(said == (code, word.to_owned()), "status said {said:?}");
    Ok(())
}

fn is_out(farm: &Farm, when: &str) -> Result<()> {
    let table = Table::of(farm.host())?;
    ensure!(table.0.is_empty(), "{when} there is {}", table.describe());
    Ok(())
}

fn is_in(farm: &Farm, when: &str) -> Result<()> {
    let rows = weights(farm.host())?;
    let whole = rows.len() == usize::from(FARM) && rows.values().all(|weight| *weight == 1);
    ensure!(whole, "{when} there is {rows:?}");
    Ok(())
}

fn goes_in_and_out() -> Result<()> {
    let farm = Farm::new("")?;
    let service = Service::start(&farm)?;
    knows(&farm, Role::Standby)?;
    is_out(&farm, "on standby")?;
    says(&farm, 3, "stopped")?;
    let begun = Instant::now();
    expect(&farm, "start", 0)?;
    figure("standby to active, script and table", begun.elapsed());
    is_in(&farm, "when the script has returned")?;
    says(&farm, 0, "running")?;
    expect(&farm, "start", 0)?;
    let begun = Instant::now();
    expect(&farm, "stop", 0)?;
    figure("active to standby, script and table", begun.elapsed());
    is_out(&farm, "after the stop")?;
    says(&farm, 3, "stopped")?;
    expect(&farm, "stop", 0)?;
    ensure!(
        farm.host().processes("ldird").len() == 1,
        "it stays, on standby"
    );
    let said = farm.director.program("ldird", &[CF, "show"])?;
    ensure!(said.contains("on standby for"), "show says {said}");
    service.kill()
}

fn killed_in_either_role() -> Result<()> {
    let farm = Farm::new("")?;
    let service = Service::start(&farm)?;
    knows(&farm, Role::Standby)?;
    service.kill()?;
    let service = Service::start(&farm)?;
    knows(&farm, Role::Standby)?;
    is_out(&farm, "killed on standby and started again")?;
    expect(&farm, "start", 0)?;
    service.kill()?;
    let service = Service::start(&farm)?;
    wait::until("the next life is active", LIMIT, || {
        script(&farm, "status").is_ok_and(|said| said.0 == 0)
    })?;
    is_in(&farm, "killed while active and started again")?;
    // Killed, and the group leaves this node before the service manager notices.
    service.kill()?;
    is_in(&farm, "with nobody there")?;
    expect(&farm, "stop", 0)?;
    is_out(&farm, "after a stop without a director")?;
    let service = Service::start(&farm)?;
    knows(&farm, Role::Standby)?;
    is_out(&farm, "after that stop")?;
    service.kill()
}

/// Another node is to have the group: a director that answers nobody must not keep it here.
fn frozen() -> Result<()> {
    let farm = Farm::new("")?;
    let service = Service::start(&farm)?;
    knows(&farm, Role::Standby)?;
    expect(&farm, "start", 0)?;
    is_in(&farm, "while active")?;
    ensure!(farm.host().freeze("ldird") == 1, "one director is frozen");
    let begun = Instant::now();
    expect(&farm, "stop", 0)?;
    figure("stop of a frozen director", begun.elapsed());
    is_out(&farm, "after the stop")?;
    says(&farm, 3, "stopped")?;
    // It has been killed already; without who brought it into the host, it is collected there.
    service.kill()?;
    wait::until("the frozen one is gone", LIMIT, || {
        farm.host().processes("ldird").is_empty()
    })?;
    let service = Service::start(&farm)?;
    knows(&farm, Role::Standby)?;
    is_out(&farm, "in its next life")?;
    service.kill()
}

fn takes_over() -> Result<()> {
    let farm = Farm::new("")?;
    farm.start()?;
    let old = farm.host().processes("ldird");
    let _resident = Service::start(&farm)?;
    wait::for_some("the resident director is the active one", LIMIT, || {
        is_in(&farm, "meanwhile")?;
        let now = farm.host().processes("ldird");
        let other = now.len() == 1 && now != old;
        Ok((other && script(&farm, "status")?.0 == 0).then_some(()))
    })?;
    knows(&farm, Role::Active)?;
    expect(&farm, "stop", 0)?;
    is_out(&farm, "after the stop")?;
    ensure!(farm.host().processes("ldird").len() == 1, "it stays");
    farm.host().signal("ldird", Signal::TERM);
    farm.await_end()
}
