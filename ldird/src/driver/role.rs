//! Active or on standby: what the resource's script asks for, answered when both the kernel and the
//! disk have it.

use super::Driver;
use crate::config::Configuration;
use crate::standing::now_ms;
use crate::wording::{self, Line};
use ha_plumbing::claim::{Claim, Kind};
use ha_status::socket::Responder;
use ha_status::{Duty, Role, Severity};
use ldird_core::input::Input;
use std::time::{Duration, Instant};

/// A turn that the kernel has not taken by then has failed for whoever asked; it goes on all the
/// same.
const TURN_LIMIT: Duration = Duration::from_secs(10);

/// Turns that are under way.
#[derive(Debug)]
pub(super) struct Turns {
    /// Who waits for which role; bounded by the clients of the socket, each of which asks for one
    /// thing at a time.
    waiting: Vec<(Role, Responder)>,
    /// The kernel's table is not yet what the role wants it to be, and somebody waits for it.
    under_way: bool,
    /// Held while on standby, for those who ask without a socket.
    standby: Option<Claim>,
    /// Why it could not be had, as it was told; it is tried again.
    unclaimed: Option<String>,
    /// When those who wait have waited long enough.
    pub(super) due: Option<Instant>,
}

impl Turns {
    pub(super) fn new(standby: Option<Claim>) -> Self {
        Self {
            waiting: Vec::new(),
            under_way: false,
            standby,
            unclaimed: None,
            due: None,
        }
    }
}

impl<R: FnOnce(&Configuration)> Driver<R> {
    /// The resource becomes active here, or stops.
    pub(super) fn turn(&mut self, role: Role, who: &str, reply: Responder) {
        let Some(reply) = self.may_turn(role, reply) else {
            return;
        };
        self.begin_turn(role, who, reply);
        self.feed(Input::Turn(role));
    }

    /// Gives the reply back if the role can be had; else it is answered.
    pub(super) fn may_turn(&self, role: Role, reply: Responder) -> Option<Responder> {
        let text = if self.stop_by.is_some() || self.end.is_some() {
            "this director is ending"
        } else if role == Role::Standby && !self.standing.resident {
            "this director is not resident: it was not started with run --standby"
        } else {
            return Some(reply);
        };
        reply.answer(Err(text.to_owned()));
        None
    }

    /// The role is this one from here on, for the disk and for all who live with this director.
    fn begin_turn(&mut self, role: Role, who: &str, reply: Responder) {
        if self.standing.role != role {
            self.standing.role = role;
            self.standing.since_ms = now_ms();
            who.clone_into(&mut self.standing.by);
            self.standing_file.note(&self.standing);
            self.turns.under_way = true;
            if role == Role::Active
                && let Some(text) = self.older_rules()
            {
                let text = format!("Becomes active with older rules: {text}");
                self.tell(&Line::new(Severity::Warning, text));
            }
            for (_, overtaken) in self.turns.waiting.drain(..) {
                let text = format!("overtaken: {who} asked for {}", wording::role(role));
                overtaken.answer(Err(text));
            }
        }
        if let Some(overtaken) = self.preparing.take() {
            let text = format!("overtaken: {who} asked for {}", wording::role(role));
            overtaken.answer(Err(text));
        }
        self.turns.waiting.push((role, reply));
        self.turn_aside(role);
        let due = Instant::now() + TURN_LIMIT;
        self.turns.due.get_or_insert(due);
    }

    /// To standby, of which the kernel's table follows a moment later: answered as soon as the disk
    /// has it.
    pub(super) fn begin_yield(&mut self, who: &str, reply: Responder) {
        self.begin_turn(Role::Standby, who, reply);
        self.turns.under_way = false;
        self.mark();
        self.answer_turns();
    }

    /// The kernel has the table.
    pub(super) fn turned(&mut self, role: Role) {
        if role == self.standing.role {
            self.turns.under_way = false;
            self.mark();
            self.answer_turns();
        }
    }

    /// Whoever asks `status` is told what the kernel's table is.
    fn mark(&mut self) {
        match self.standing.role {
            Role::Active => {
                self.turns.standby = None;
                self.turns.unclaimed = None;
            }
            Role::Standby => self.claim_standby(),
        }
    }

    /// On standby without a claim everybody without a socket takes it for active: once a second it is
    /// tried again.
    pub(super) fn mark_late(&mut self) {
        if self.standing.role == Role::Standby && !self.turns.under_way {
            self.claim_standby();
        }
    }

    fn claim_standby(&mut self) {
        if self.turns.standby.is_some() {
            return;
        }
        match Claim::acquire(Kind::Standby, self.instance.subject()) {
            Ok(claim) => {
                if let Some(line) = wording::claim_weak(&claim) {
                    self.tell(&line);
                }
                self.turns.standby = Some(claim);
                if self.turns.unclaimed.take().is_some() {
                    let text = "ldird status knows again that this is standby";
                    self.tell(&Line::new(Severity::Notice, text));
                }
            }
            Err(error) => {
                let error = error.to_string();
                if self.turns.unclaimed.as_ref() != Some(&error) {
                    let text = format!(
                        "ldird status cannot know that this is standby: {error}; it is tried again"
                    );
                    self.tell(&Line::new(Severity::Error, text));
                    self.turns.unclaimed = Some(error);
                }
            }
        }
    }

    /// The disk has the role, or could not take it.
    pub(super) fn role_written(&mut self, error: Option<String>) {
        if let Some(error) = error {
            let text = format!(
                "The role cannot be kept on disk: {error}; after a crash this director comes up \
                 as the file says that was there before"
            );
            self.tell(&Line::new(Severity::Error, text));
        }
        self.answer_turns();
    }

    fn answer_turns(&mut self) {
        if self.turns.under_way || !self.standing_file.is_settled() {
            return;
        }
        self.turns.due = None;
        let older = self.older_rules();
        for (role, reply) in self.turns.waiting.drain(..) {
            let mut text = wording::role(role).to_owned();
            if let (Role::Active, Some(older)) = (role, &older) {
                text = format!("{text}\nwarning: {older}");
            }
            reply.answer(Ok(text));
        }
    }

    pub(super) fn give_turns_up(&mut self) {
        self.turns.due = None;
        let text = format!(
            "the table is not as it should be after {} s; the director goes on trying",
            TURN_LIMIT.as_secs()
        );
        for (_, reply) in self.turns.waiting.drain(..) {
            reply.answer(Err(text.clone()));
        }
    }

    /// In this role, and everybody has been answered.
    #[cfg(test)]
    pub(super) fn turns_are_done_as(&self, role: Role) -> bool {
        self.standing.role == role && self.turns.due.is_none() && !self.turns.under_way
    }

    pub(super) fn duty(&self) -> Duty {
        Duty {
            role: self.standing.role,
            held_back: self.director.holds_back(),
            resident: self.standing.resident,
            since_ms: self.standing.since_ms,
            by: self.standing.by.clone(),
        }
    }
}
