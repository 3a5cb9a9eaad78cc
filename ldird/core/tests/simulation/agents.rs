//! Agents of real servers: what they say in a history, and what is to be made of it, in the
//! harness's own hand.

use super::random::Random;
use ha_status::Asks;
use ldird_core::input::{AgentSays, Finding, Standing};

/// What is believed of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agent {
    percent: u32,
    standing: Standing,
    down: bool,
    silent: bool,
    /// It has been asked, or its server was known before.
    heard: bool,
    /// What its server had in the table before.
    pub(crate) found: Option<u32>,
}

impl Agent {
    pub(crate) fn new(heard: bool) -> Self {
        Self {
            percent: 100,
            standing: Standing::Ready,
            down: false,
            silent: false,
            heard,
            found: None,
        }
    }

    pub(crate) fn answered(&mut self, finding: Finding, says: Option<&AgentSays>) {
        self.heard = true;
        let says = match (finding, says) {
            (Finding::CouldNotAsk, _) => return,
            (Finding::Up, Some(says)) => says,
            (Finding::Up, None) | (Finding::Down, _) => {
                self.silent = true;
                return;
            }
        };
        self.silent = false;
        if let Some(percent) = says.percent {
            self.percent = percent;
        }
        if let Some(standing) = says.standing {
            self.standing = standing;
        }
        if let Some(up) = says.up {
            self.down = !up;
        }
    }

    pub(crate) fn asks(&self) -> Asks {
        if self.standing == Standing::Maintenance {
            Asks::Maintenance
        } else if self.down {
            Asks::Down
        } else if self.standing == Standing::Drain {
            Asks::Drain
        } else {
            Asks::Serve
        }
    }

    /// The weight of a server that is well; `None` for no place at all.
    pub(crate) fn weight(&self, full: u32) -> Option<u32> {
        if !self.heard {
            return self.found;
        }
        match self.asks() {
            Asks::Serve if full * self.percent == 0 => Some(0),
            Asks::Serve => Some(1 + (full * self.percent - 1) / 100),
            Asks::Drain => Some(0),
            Asks::Maintenance | Asks::Down => None,
        }
    }

    /// Is that what is shown?
    pub(crate) fn is_shown(&self, shown: &ha_status::Agent) -> bool {
        let silent = shown.silent.is_some();
        (self.asks(), self.percent, self.silent) == (shown.asks, shown.percent, silent)
    }
}

/// One answer: one of the three things, or two, or nothing new.
pub(crate) fn draw_word(random: &mut Random) -> AgentSays {
    let mut says = AgentSays::default();
    if random.chance(60) {
        says.percent = Some([0, 1, 40, 50, 100, 150][random.below(6) as usize]);
    }
    if random.chance(30) {
        says.standing = Some(match random.below(6) {
            0 => Standing::Maintenance,
            1 => Standing::Drain,
            _ => Standing::Ready,
        });
    }
    if random.chance(30) {
        says.up = Some(random.chance(70));
    }
    says
}
