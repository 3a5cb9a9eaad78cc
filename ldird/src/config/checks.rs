//! From check directives to probes: which question is asked about each real server of a section
//! (specification 2.1, and 1.8 for the request a check uses).
//!
//! A check that this release does not have becomes the nearest one that really looks at the server,
//! with a warning: never "always up".

mod commands;

use super::Section;
use super::agent::AgentRecipe;
use super::framing;
use super::given::{At, CheckType, Faults, Given, Method, RealLine, Service, Statuses};
use super::operations::CheckName;
use super::resolve::{self, Timeouts};
use super::virtual_server::What;
use crate::probes::{
    Apart, Command, Connect, Dialogue, Frame, Framed, Negotiate, Path, Pattern, PatternError, Ping,
    Probe, Trust,
};
use commands::{command, place};
use ha_plumbing::Span;
use ldird_core::table::{ServiceKey, Tunnel};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How a section's real servers are checked.
#[derive(Debug)]
pub(super) struct Recipe {
    how: How,
    reach: Reach,
    service: Service,
    timeouts: Timeouts,
    /// Echo requests of one ping check.
    attempts: u32,
    checkport: Option<u16>,
    method: Method,
    statuses: Option<Statuses>,
    request: Vec<u8>,
    receive: Option<Arc<Pattern>>,
    virtualhost: Option<Vec<u8>>,
    trust: Trust,
    login: Option<Vec<u8>>,
    passwd: Option<Vec<u8>>,
    database: Option<Vec<u8>>,
    secret: Option<Vec<u8>>,
    /// The virtual service's protocol.
    udp: bool,
    marked: bool,
    /// For external checks.
    command: Command,
    /// What is added to every question.
    frame: Arc<Frame>,
    /// Who else is asked about each real server.
    agent: Option<AgentRecipe>,
    /// Where clients connect to, if a check is to take their way, and the tunnel that leads there.
    clients: Option<(SocketAddr, Tunnel)>,
    /// The virtual service's address or mark, and its port.
    place: [String; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    On,
    Off,
    Reach,
    /// In place of a check that this release does not have: never stricter than that would be.
    StandIn,
    Negotiate,
    /// So many reach checks between two negotiate checks.
    Combined(u32),
    /// A command of the site.
    External,
    /// The same, for the negotiate check of a service that only it can ask.
    Helper,
}

/// What is asked where no protocol is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Connect,
    Ping,
}

/// The answer for one real server.
#[derive(Debug)]
pub(super) enum Question {
    On,
    Off,
    Probe(Probe),
}

impl Recipe {
    /// `title` names the virtual service in warnings.
    pub(super) fn new(
        section: &Section,
        global: &Given,
        service: Service,
        udp: bool,
        key: ServiceKey,
        title: &str,
        faults: &mut Faults<'_>,
    ) -> Self {
        let given = &section.given;
        let checktype = given.checktype.as_ref().map(|at| at.value);
        let ping = udp || checktype == Some(CheckType::Ping);
        let count = given.checkcount.as_ref().or(global.checkcount.as_ref());
        let mut recipe = Self {
            how: How::Reach,
            reach: if ping { Reach::Ping } else { Reach::Connect },
            service,
            timeouts: resolve::timeouts(given, global),
            attempts: count.map_or(1, |at| at.value),
            checkport: given
                .checkport
                .as_ref()
                .and_then(|at| at.value.try_into().ok()),
            method: given.httpmethod.as_ref().map_or(Method::Get, |at| at.value),
            statuses: given.httpstatus.as_ref().map(|at| at.value.clone()),
            request: bytes(given.request.as_ref(), faults).unwrap_or_default(),
            receive: None,
            virtualhost: virtualhost(given, faults),
            trust: trust(given, global, faults),
            login: bytes(given.login.as_ref(), faults),
            passwd: bytes(given.passwd.as_ref(), faults),
            database: bytes(given.database.as_ref(), faults),
            secret: bytes(given.secret.as_ref(), faults),
            udp,
            marked: (section.line.as_ref()).is_some_and(|line| matches!(line.what, What::Mark(_))),
            command: command(given, checktype),
            frame: Arc::default(),
            agent: None,
            clients: None,
            place: place(key),
        };
        recipe.receive = given
            .receive
            .as_ref()
            .and_then(|at| pattern(at, faults).ok()?);
        recipe.how = recipe.choose(section, checktype, title, faults);
        recipe.frame = framing::frame(
            section,
            global,
            (recipe.sees_certificates(), recipe.longest()),
            faults,
        );
        recipe.agent = AgentRecipe::new(
            section,
            global,
            (recipe.timeouts.check, !matches!(recipe.how, How::Off)),
            recipe.frame.origin.as_ref(),
            faults,
        );
        let asks = !matches!(recipe.how, How::On | How::Off);
        let clients = framing::clients_way(section, key, asks, faults);
        let tunnel = given.tunnel.as_ref().map_or(Tunnel::Ipip, |at| at.value);
        recipe.clients = clients.map(|address| (address, tunnel));
        recipe.tell_unused(section, faults);
        recipe.tell_mended(section, title, faults);
        recipe.tell_hopeless(section, title, faults);
        recipe
    }

    /// How long its longest question may take.
    pub(super) fn longest(&self) -> Duration {
        match self.how {
            How::Negotiate | How::Combined(_) | How::Helper => self.timeouts.negotiate,
            How::On | How::Off | How::Reach | How::StandIn | How::External => self.timeouts.check,
        }
    }

    /// Does it speak TLS, or may it come to?
    fn sees_certificates(&self) -> bool {
        let asks = matches!(self.how, How::Negotiate | How::Combined(_));
        asks && (self.service.is_secure() || self.service.may_become_secure())
    }

    fn tell_unused(&self, section: &Section, faults: &mut Faults<'_>) {
        let asks_web = matches!(self.how, How::Negotiate | How::Combined(_))
            && self.service.fields.contains(&"httpstatus");
        if let (Some(at), false) = (&section.given.httpstatus, asks_web) {
            faults.warning(at.span, "httpstatus has no effect: no http is asked");
        }
    }

    /// Servers that the old daemon found up whatever they did (specification 7.2, W9) may be down
    /// now: that is said before it surprises.
    fn tell_mended(&self, section: &Section, title: &str, faults: &mut Faults<'_>) {
        if !matches!(self.how, How::Negotiate | How::Combined(_)) {
            return;
        }
        let (without, has_to) = match self.service.name {
            "pop" | "pops" if self.login.is_none() => ("login", "greet"),
            "ftp" if self.receive.is_none() => ("receive", "take the login"),
            _ => return,
        };
        let service = self.service;
        let message = format!(
            "virtual {title}: without {without} ldirectord finds every {service} server up; \
             here it has to {has_to}"
        );
        let at = section.given.service.as_ref().map(|at| at.span);
        faults.minor(at.unwrap_or(section.span), message);
    }

    /// Without these there is nothing to ask, and no answer is up, as ever.
    fn tell_hopeless(&self, section: &Section, title: &str, faults: &mut Faults<'_>) {
        if !matches!(self.how, How::Negotiate | How::Combined(_)) {
            return;
        }
        let mut reals = section.given.reals.iter();
        let asks = !matches!(self.request.as_slice(), b"" | b"/")
            || reals.any(|real| real.dialogue.is_some());
        let (needs, hint) = match self.service.name {
            "mysql" | "pgsql" if self.login.is_none() || !asks => (
                "a login and a request",
                "add login=\"...\", passwd=\"...\" and request=\"SELECT ...\"",
            ),
            "http_proxy" if !asks || !self.names_a_server(section) => (
                "a whole address to fetch",
                "add request=\"http://www.example.com/\", which the proxy can reach",
            ),
            "dns" if !asks => ("a request", "add request=\"NAME\", a name that it knows"),
            _ => return,
        };
        let service = self.service;
        let message =
            format!("virtual {title}: {service} needs {needs}, so all its servers are down");
        let at = section.given.service.as_ref().map(|at| at.span);
        faults.warning_with(at.unwrap_or(section.span), message, hint);
    }

    fn choose(
        &self,
        section: &Section,
        checktype: Option<CheckType>,
        title: &str,
        faults: &mut Faults<'_>,
    ) -> How {
        let instead = match self.reach {
            Reach::Connect => "connect",
            Reach::Ping => "ping",
        };
        let span = |at: Option<Span>| at.unwrap_or(section.span);
        match checktype.unwrap_or(CheckType::Negotiate) {
            CheckType::On => How::On,
            CheckType::Off => How::Off,
            CheckType::Connect | CheckType::Ping => How::Reach,
            CheckType::External | CheckType::ExternalPerl => {
                if section.given.checkcommand.is_none() {
                    let message =
                        format!("virtual {title}: there is no checkcommand for its check");
                    let at = section.given.checktype.as_ref().map(|at| at.span);
                    let hint = "/bin/true stands in for it, as before: name a command of yours";
                    faults.warning_with(span(at), message, hint);
                }
                How::External
            }
            kind @ (CheckType::Negotiate | CheckType::Combined(_)) => {
                match (self.service.negotiate, kind) {
                    (Negotiate::Asks(_), CheckType::Combined(every)) => How::Combined(every),
                    (Negotiate::Asks(_), _) => How::Negotiate,
                    (Negotiate::Nothing, CheckType::Combined(_)) => How::Reach,
                    (Negotiate::Nothing, _) => How::On,
                    (Negotiate::Missing, _) if section.given.checkcommand.is_some() => How::Helper,
                    (Negotiate::Missing, _) => {
                        let message = format!(
                            "virtual {title}: ldird does not speak the protocol of {}; \
                             the {instead} check is used instead{}",
                            self.service,
                            without(self.service.fields)
                        );
                        let at = section.given.service.as_ref().map(|at| at.span);
                        let hint = "checkcommand=\"PROGRAM\" asks in its place, by its exit code";
                        faults.warning_with(span(at), message, hint);
                        How::StandIn
                    }
                }
            }
        }
    }

    /// Is the request an address of the web, or has a real server one of its own?
    fn names_a_server(&self, section: &Section) -> bool {
        let own = section
            .given
            .reals
            .iter()
            .any(|real| real.dialogue.is_some());
        let request = self.request.strip_prefix(b"/").unwrap_or(&self.request);
        own || request.starts_with(b"http://")
    }

    /// What is checked, as the old daemon names it.
    pub(super) fn name(&self) -> CheckName<'static> {
        match (self.how, &self.command) {
            (How::On, _) => CheckName::Plain("on"),
            (How::Off, _) => CheckName::Plain("off"),
            (How::Reach, _) if self.reach == Reach::Ping => CheckName::Plain("ping"),
            (How::Reach, _) => CheckName::Plain("connect"),
            (How::Negotiate | How::StandIn | How::Helper, _) => CheckName::OfService("negotiate"),
            (How::Combined(_), _) => CheckName::OfService("combined"),
            (How::External, Command::Words(_)) => CheckName::OfCommand("external"),
            (How::External, Command::Perl(_)) => CheckName::OfCommand("external-perl"),
        }
    }

    /// What is checked, for dashboards.
    pub(super) fn description(&self) -> String {
        let reach = match self.reach {
            Reach::Connect => "connect",
            Reach::Ping => "ping",
        };
        match self.how {
            How::On => "on".to_owned(),
            How::Off => "off".to_owned(),
            How::Reach | How::StandIn => reach.to_owned(),
            How::Negotiate => format!("negotiate {}", self.service),
            How::Combined(every) => format!("negotiate {} every {every} {reach}s", self.service),
            How::External => format!("external {}", self.command),
            How::Helper => format!("negotiate {} by {}", self.service, self.command),
        }
    }

    /// Where a real server with this port (0 for none) is checked.
    fn port(&self, port: u16) -> u16 {
        match (self.checkport, port) {
            (Some(checkport), _) => checkport,
            (None, 0) => self.service.port,
            (None, port) => port,
        }
    }

    /// Complains about a line whose real servers cannot be checked.
    pub(super) fn tell_portless(&self, line: &RealLine, port: u16, faults: &mut Faults<'_>) {
        let needs_port = match self.how {
            How::On | How::Off | How::StandIn | How::External => false,
            How::Reach => self.reach == Reach::Connect,
            How::Negotiate | How::Combined(_) | How::Helper => true,
        };
        if needs_port && self.port(port) == 0 {
            let message = format!(
                "real server {}: no port to check, so it is always down",
                line.host.value
            );
            faults.warning_with(
                line.span,
                message,
                "give the real server a port, or checkport=PORT",
            );
        }
    }

    /// The question about the real server at this address; `None` after a complaint.
    pub(super) fn question(
        &self,
        line: &RealLine,
        address: IpAddr,
        port: u16,
        faults: &mut Faults<'_>,
    ) -> Option<Question> {
        Some(match self.unframed(line, address, port, faults)? {
            Question::Probe(probe) => {
                let frame = self.frame_of(line, address);
                Question::Probe(Framed::around(&frame, probe))
            }
            other @ (Question::On | Question::Off) => other,
        })
    }

    /// The question to the agent of the real server at this address, and how often it is asked;
    /// `usual` is how often checks are.
    pub(super) fn agent(&self, address: IpAddr, usual: Duration) -> Option<(Probe, Duration)> {
        let agent = self.agent.as_ref()?;
        Some(agent.question(address, usual))
    }

    /// With the way to this real server.
    fn frame_of(&self, line: &RealLine, address: IpAddr) -> Arc<Frame> {
        let path = self.clients.and_then(|(virtual_server, tunnel)| {
            let wrap = framing::wrap(tunnel, line.forwarding)?;
            Path::new(virtual_server, address, wrap, self.timeouts.check)
        });
        if path.is_none() {
            return Arc::clone(&self.frame);
        }
        let frame = Frame::clone(&self.frame);
        Arc::new(Frame { path, ..frame })
    }

    fn unframed(
        &self,
        line: &RealLine,
        address: IpAddr,
        port: u16,
        faults: &mut Faults<'_>,
    ) -> Option<Question> {
        let target = SocketAddr::new(address, self.port(port));
        match self.how {
            How::On => return Some(Question::On),
            How::Off => return Some(Question::Off),
            How::External => {
                let probe = self.external(SocketAddr::new(address, port));
                return Some(Question::Probe(probe));
            }
            How::Helper => return Some(Question::Probe(self.helper(target))),
            How::Reach | How::StandIn | How::Negotiate | How::Combined(_) => {}
        }
        Some(Question::Probe(match self.how {
            How::On | How::Off | How::External | How::Helper | How::Reach => self.reach(target),
            How::StandIn => self.stand_in(target),
            How::Negotiate => self.negotiate(line, target, faults)?,
            How::Combined(every) => Probe::Combined {
                every,
                negotiate: Box::new(self.negotiate(line, target, faults)?),
                connect: Box::new(self.reach(target)),
            },
        }))
    }

    fn reach(&self, target: SocketAddr) -> Probe {
        let timeout = self.timeouts.check;
        match self.reach {
            Reach::Connect => Probe::Connect(Connect { target, timeout }),
            Reach::Ping => Probe::Ping(Ping {
                target: target.ip(),
                attempts: self.attempts,
                timeout,
                lenient: false,
            }),
        }
    }

    /// A connection where there is a TCP port, which is no more than the missing check would need;
    /// else a ping whose silence is up, because a filter may swallow it.
    fn stand_in(&self, target: SocketAddr) -> Probe {
        if self.reach == Reach::Connect && target.port() > 0 {
            return self.reach(target);
        }
        Probe::Ping(Ping {
            target: target.ip(),
            attempts: self.attempts,
            timeout: self.timeouts.check,
            lenient: true,
        })
    }

    fn negotiate(
        &self,
        line: &RealLine,
        target: SocketAddr,
        faults: &mut Faults<'_>,
    ) -> Option<Probe> {
        let (request, receive, span) = match &line.dialogue {
            None => (self.request.clone(), self.receive.clone(), line.span),
            Some((request, receive)) => {
                let pattern = if receive.value.is_empty() {
                    None
                } else {
                    pattern(receive, faults).ok()?
                };
                let bytes = faults.source.bytes_of(&request.value);
                (bytes, pattern, request.span)
            }
        };
        let dialogue = Dialogue {
            request,
            own: line.dialogue.is_some(),
            receive,
            virtualhost: self.virtualhost.clone(),
            trust: self.trust.clone(),
            method: self.method,
            statuses: self.statuses.clone(),
            login: self.login.clone(),
            passwd: self.passwd.clone(),
            database: self.database.clone(),
            secret: self.secret.clone(),
            udp: self.udp,
            marked: self.marked,
            checktimeout: self.timeouts.check,
            ..Dialogue::new(target, self.timeouts.negotiate)
        };
        let long = dialogue
            .receive
            .as_deref()
            .is_some_and(Pattern::may_take_long);
        let question = match self.service.negotiate {
            Negotiate::Asks(question) if long => question(dialogue).map(Apart::of),
            Negotiate::Asks(question) => question(dialogue),
            Negotiate::Nothing | Negotiate::Missing => Ok(self.reach(target)),
        };
        question.map_err(|fault| faults.error(span, fault)).ok()
    }
}

/// A text as the file has it, byte by byte.
fn bytes(at: Option<&At<String>>, faults: &Faults<'_>) -> Option<Vec<u8>> {
    at.map(|at| faults.source.bytes_of(&at.value))
}

/// Whose certificates pass.
fn trust(given: &Given, global: &Given, faults: &mut Faults<'_>) -> Trust {
    let verify = given.sslverify.as_ref().or(global.sslverify.as_ref());
    let file = given.sslcafile.as_ref().or(global.sslcafile.as_ref());
    match (verify.is_some_and(|at| at.value), file) {
        (true, None) => Trust::System,
        (true, Some(at)) => Trust::File(PathBuf::from(&at.value)),
        (false, None) => Trust::Everybody,
        (false, Some(at)) => {
            faults.warning_with(
                at.span,
                "sslcafile has no effect without sslverify",
                "sslverify=yes",
            );
            Trust::Everybody
        }
    }
}

/// What a stand-in does not look at.
fn without(fields: &[&str]) -> String {
    if fields.is_empty() {
        return String::new();
    }
    format!(", without {}", fields.join(", "))
}

/// A pattern that is wrong is found here, not when the check runs.
/// What only we refuse is not asked for, because the old daemon took the file.
fn pattern(at: &At<String>, faults: &mut Faults<'_>) -> Result<Option<Arc<Pattern>>, PatternError> {
    match Pattern::new(&faults.source.bytes_of(&at.value)) {
        Ok(pattern) => Ok(Some(Arc::new(pattern))),
        Err(error @ PatternError::Invalid(_)) => {
            let message = format!("invalid receive string \"{}\": {error}", at.value);
            faults.error(at.span, message);
            Err(error)
        }
        Err(error @ (PatternError::Unsupported(_) | PatternError::Long | PatternError::Large)) => {
            let message = format!("receive string \"{}\" is not looked for: {error}", at.value);
            faults.warning_with(at.span, message, "any answer of success is up");
            Ok(None)
        }
    }
}

/// What stands in the `Host` line, byte by byte as in the file; the old daemon asks no more of it.
fn virtualhost(given: &Given, faults: &mut Faults<'_>) -> Option<Vec<u8>> {
    let at = given.virtualhost.as_ref()?;
    if !at.value.chars().all(|c| c.is_ascii_graphic()) {
        faults.warning_with(
            at.span,
            "virtualhost with characters that no host name has",
            "they are sent as they stand; a name of other scripts is written xn--...",
        );
    }
    (!at.value.is_empty()).then(|| faults.source.bytes_of(&at.value))
}
