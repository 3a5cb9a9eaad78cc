//! What really runs on a machine, and the scripts that start and stop it: ready at once, slow,
//! failing or hanging until their time limit.

use crate::faults::{MILLI, Micros, Plan, ScriptFaults};
use crate::generator::Generator;
use hbd_core::input::{Activity, Failure};

/// One machine's resources. They outlive the daemon.
pub(crate) struct Machine {
    groups: Vec<Resource>,
    faults: ScriptFaults,
    limit: Micros,
    next: u64,
}

#[derive(Default)]
struct Resource {
    /// May anything of the group be active? From the beginning of a start to the end of a stop.
    active: bool,
    operation: Option<(u64, Operation)>,
    /// Is what it needs, an interface, not there?
    missing: bool,
    /// Has its start been refused because of that? One that had begun before succeeds.
    refused: bool,
    /// What is made ready for a start, or undone.
    preparation: Option<(u64, Preparation)>,
    /// Until when it answers for the addresses without running the group: for ever while they are
    /// wanted, and for a while if they are not taken away.
    drawn: Micros,
}

/// What is done about a start to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Preparation {
    Make,
    Undo,
}

/// Wanted addresses do not leave.
const WANTED: Micros = Micros::MAX;

/// They leave so long after nobody wants them any more.
const LIFE: Micros = hbd_core::config::PREPARED_LIFE.as_micros() as Micros;

/// A running script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Probe,
    Start,
    Stop,
}

/// What a script has answered.
#[derive(Debug)]
pub(crate) enum Answer {
    Probed(Activity),
    Started(Result<(), Failure>),
    Stopped(Result<(), Failure>),
    Prepared,
    Unprepared,
}

/// A script that was begun: its answer is due at this time.
pub(crate) struct Begun {
    pub(crate) ticket: u64,
    pub(crate) takes: Micros,
}

impl Machine {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut groups = Vec::new();
        groups.resize_with(plan.groups.len(), Resource::default);
        Self {
            groups,
            faults: plan.scripts.clone(),
            limit: plan.script_limit(),
            next: 0,
        }
    }

    pub(crate) fn active(&self, group: usize) -> bool {
        self.groups[group].active
    }

    /// Begins a script. A start that was still running is ended; the caller answers it.
    pub(crate) fn begin(
        &mut self,
        group: usize,
        operation: Operation,
        random: &mut Generator,
    ) -> (Begun, bool) {
        self.next += 1;
        let ticket = self.next;
        let resource = &mut self.groups[group];
        let ended = matches!(resource.operation, Some((_, Operation::Start)));
        resource.operation = Some((ticket, operation));
        // It overtakes what was to be ready for it.
        resource.preparation = None;
        if operation == Operation::Start {
            resource.active = true;
            resource.refused = resource.missing;
            resource.drawn = 0;
        }
        let takes = if random.percent(self.faults.hang) {
            self.limit
        } else if random.percent(self.faults.slow) {
            random.between(50 * MILLI, self.limit)
        } else {
            random.between(MILLI, 20 * MILLI)
        };
        (Begun { ticket, takes }, ended)
    }

    /// The script ends, if it is still running.
    pub(crate) fn finish(
        &mut self,
        group: usize,
        ticket: u64,
        (took, now): (Micros, Micros),
        random: &mut Generator,
    ) -> Option<Answer> {
        let resource = &mut self.groups[group];
        let (current, operation) = resource.operation?;
        if current != ticket {
            return None;
        }
        resource.operation = None;
        let hung = self.faults.hang > 0 && took >= self.limit;
        let fails = hung || random.percent(self.faults.fail);
        Some(match operation {
            Operation::Probe if fails => Answer::Probed(Activity::Unclear),
            Operation::Probe => {
                let drawn = resource.drawn > now;
                Answer::Probed(match (resource.active, drawn || random.percent(50)) {
                    (false, _) if !drawn => Activity::Nothing,
                    (_, true) => Activity::Something,
                    (_, false) => Activity::Everything,
                })
            }
            Operation::Start if fails || resource.refused => {
                let still_held = random.percent(30);
                resource.active = still_held;
                Answer::Started(Err(failure("start", still_held)))
            }
            Operation::Start => Answer::Started(Ok(())),
            Operation::Stop if fails => Answer::Stopped(Err(failure("stop", true))),
            Operation::Stop => {
                resource.active = false;
                resource.drawn = resource.drawn.min(now);
                Answer::Stopped(Ok(()))
            }
        })
    }

    /// Begins to make ready for a start, or to undo that. Overtakes what was under way.
    pub(crate) fn begin_preparation(
        &mut self,
        group: usize,
        preparation: Preparation,
        random: &mut Generator,
    ) -> Begun {
        self.next += 1;
        let ticket = self.next;
        let resource = &mut self.groups[group];
        resource.preparation = Some((ticket, preparation));
        // From the first moment on, unless the directors are not ready.
        if preparation == Preparation::Make && !resource.missing && !random.percent(10) {
            resource.drawn = WANTED;
        }
        let takes = if random.percent(self.faults.slow) {
            random.between(MILLI, 700 * MILLI)
        } else {
            random.between(MILLI, 20 * MILLI)
        };
        Begun { ticket, takes }
    }

    /// It ends, if nothing has overtaken it.
    pub(crate) fn finish_preparation(
        &mut self,
        group: usize,
        ticket: u64,
        now: Micros,
        random: &mut Generator,
    ) -> Option<Answer> {
        let fails = random.percent(self.faults.fail);
        let resource = &mut self.groups[group];
        let (_, preparation) = resource.preparation.take_if(|(it, _)| *it == ticket)?;
        Some(match preparation {
            Preparation::Make => Answer::Prepared,
            Preparation::Undo => {
                let life = if fails { LIFE } else { 0 };
                resource.drawn = resource.drawn.min(now + life);
                Answer::Unprepared
            }
        })
    }

    /// Until when neighbours may have learnt from it that it has a group that it does not run.
    pub(crate) fn drawn(&self, group: usize) -> Micros {
        self.groups[group].drawn
    }

    pub(crate) fn missing(&self, group: usize) -> bool {
        self.groups[group].missing
    }

    /// Takes away what a group needs, or gives it back. Did that change anything?
    pub(crate) fn take(&mut self, group: usize, missing: bool) -> bool {
        std::mem::replace(&mut self.groups[group].missing, missing) != missing
    }

    /// The daemon is gone and its scripts with it; without power everything is.
    pub(crate) fn crash(&mut self, power: bool, now: Micros) {
        for resource in &mut self.groups {
            resource.operation = None;
            resource.preparation = None;
            let life = if power { 0 } else { LIFE };
            resource.drawn = resource.drawn.min(now + life);
            resource.active &= !power;
        }
    }

    /// From now on every script works.
    pub(crate) fn calm(&mut self) {
        self.faults = ScriptFaults::default();
        for resource in &mut self.groups {
            resource.missing = false;
        }
    }
}

/// How a start answers that was ended because the group must stop.
pub(crate) fn ended() -> Result<(), Failure> {
    Err(failure("start ended", true))
}

fn failure(reason: &str, still_held: bool) -> Failure {
    Failure {
        resource: "IPaddr::10.0.0.1".to_owned(),
        reason: reason.to_owned(),
        still_held,
    }
}
