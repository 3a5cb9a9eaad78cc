//! What a file says of agents on real servers: programs that say how much their server wants. None of
//! it is known to the old daemon.

use super::Section;
use super::framing;
use super::given::{At, Faults, Given};
use super::words::trimmed;
use crate::probes::{Agent, Dialler, Frame, Framed, Probe, unescaped};
use ha_plumbing::Word;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// More often is no question but a flood.
const TIME_MIN: Duration = Duration::from_millis(50);

/// How the agents of a section are asked.
#[derive(Debug)]
pub(super) struct AgentRecipe {
    port: u16,
    /// `None`: as often as checks are.
    interval: Option<Duration>,
    timeout: Duration,
    say: Vec<u8>,
    frame: Arc<Frame>,
}

pub(super) fn agentport(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    let word = trimmed(word);
    let digits = word.text.bytes().all(|byte| byte.is_ascii_digit());
    let number = word.text.parse().ok().filter(|_| digits);
    if let Some(value @ 1..) = number {
        let span = word.span;
        given.agentport = Some(At { value, span });
    } else {
        let hint = "agentport=PORT, 1 to 65535";
        faults.error_with(word.span, "invalid agentport", hint);
    }
}

pub(super) fn agentinterval(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    given.agentinterval = time("agentinterval", word, faults);
}

pub(super) fn agenttimeout(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    given.agenttimeout = time("agenttimeout", word, faults);
}

fn time(name: &str, word: Word<'_>, faults: &mut Faults<'_>) -> Option<At<Duration>> {
    let word = trimmed(word);
    let span = word.span;
    let time = framing::time(word.text).filter(|time| *time >= TIME_MIN);
    if time.is_none() {
        let message = format!("invalid {name}: a time of at least 50 ms");
        let hint = format!("in seconds or with a unit, e.g. {name}=2 or {name}=500ms");
        faults.error_with(span, message, hint);
    }
    time.map(|value| At { value, span })
}

impl AgentRecipe {
    /// `timeout` holds where the file names none for agents; `used`: are the real servers used at all?
    pub(super) fn new(
        section: &Section,
        global: &Given,
        (timeout, used): (Duration, bool),
        origin: Option<&Arc<Dialler>>,
        faults: &mut Faults<'_>,
    ) -> Option<Self> {
        let given = &section.given;
        let port = given.agentport.as_ref().or(global.agentport.as_ref());
        if port.is_none() {
            tell_alone(given, faults);
        }
        let port = port?;
        if !used {
            if let Some(at) = &given.agentport {
                faults.warning(at.span, "agentport has no effect: checktype=off");
            }
            return None;
        }
        if let Some(at) = &given.agentport
            && given.reals.iter().all(|real| real.weight <= 1)
        {
            let message =
                "agentport: a weight of 1 has no parts, so that a percentage changes nothing";
            let hint = "give real servers more, e.g. real=10.0.0.1:80 gate 100";
            faults.warning_with(at.span, message, hint);
        }
        let interval = given.agentinterval.as_ref();
        let interval = interval.or(global.agentinterval.as_ref());
        let own = given.agenttimeout.as_ref();
        let own = own.or(global.agenttimeout.as_ref());
        let say = given.agentsend.as_ref().or(global.agentsend.as_ref());
        let say = say.map(|at| unescaped(&faults.source.bytes_of(&at.value)));
        Some(Self {
            port: port.value,
            interval: interval.map(|at| at.value),
            timeout: own.map_or(timeout, |at| at.value),
            say: say.unwrap_or_default(),
            frame: Arc::new(Frame {
                origin: origin.cloned(),
                ..Frame::default()
            }),
        })
    }

    /// The question to the agent at this address, and how often it is asked; `usual` is how often
    /// checks are.
    pub(super) fn question(&self, address: IpAddr, usual: Duration) -> (Probe, Duration) {
        let agent = Agent {
            target: SocketAddr::new(address, self.port),
            say: self.say.clone(),
            timeout: self.timeout,
        };
        let probe = Framed::around(&self.frame, Probe::Agent(agent));
        (probe, self.interval.unwrap_or(usual))
    }
}

/// Words about an agent that is not there.
fn tell_alone(given: &Given, faults: &mut Faults<'_>) {
    let spans = [
        (
            "agentinterval",
            given.agentinterval.as_ref().map(|at| at.span),
        ),
        (
            "agenttimeout",
            given.agenttimeout.as_ref().map(|at| at.span),
        ),
        ("agentsend", given.agentsend.as_ref().map(|at| at.span)),
    ];
    for (name, span) in spans {
        if let Some(span) = span {
            let message = format!("{name} has no effect without agentport");
            faults.warning(span, message);
        }
    }
}
