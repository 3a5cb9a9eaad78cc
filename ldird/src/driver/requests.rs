//! What clients of the status socket ask for.

use super::Driver;
use super::reload::Wish;
use crate::config::Configuration;
use crate::control;
use crate::wording::Line;
use ha_status::socket::{Asked, ClientRequest, Responder};
use ha_status::{Action, DirectorSnapshot, Reply, Role, Severity, Snapshot, View};
use std::time::Instant;

impl<R: FnOnce(&Configuration)> Driver<R> {
    pub(super) fn requested(&mut self, request: ClientRequest) {
        let Some(asked) = self.view.control.understand(request) else {
            return;
        };
        match asked {
            Asked::Snapshot(reply) => {
                let snapshot = Snapshot::Director(self.snapshot());
                self.view.control.snapshot(reply, &snapshot);
            }
            Asked::Follow(reply) => {
                let snapshot = Snapshot::Director(self.snapshot());
                self.view.control.follow(reply, &snapshot);
            }
            Asked::Metrics(reply) => {
                let text = control::metrics(&self.snapshot());
                reply.send(Reply::Metrics { text });
            }
            Asked::Opinion { services, reply } => {
                let found = self.director.find(&services, Instant::now());
                let node = String::new();
                let views = vec![View { node, found }];
                reply.send(Reply::Opinion { views });
            }
            Asked::Act { action, who, reply } => self.act(&action, &who, reply),
        }
    }

    pub(super) fn snapshot(&mut self) -> DirectorSnapshot {
        self.view.duty = self.duty();
        self.view.sync = self.sync.shown();
        self.view.outdated = self.reloads.outdated.clone();
        self.view.trials.clone_from(&self.configuration.trials);
        let config = &self.configuration.core;
        self.view.snapshot(&self.director, config, Instant::now())
    }

    fn act(&mut self, action: &Action, who: &str, reply: Responder) {
        let text = format!("{who} asks for: {}", action.word());
        self.tell(&Line::new(Severity::Notice, text));
        match action {
            Action::Serve => self.turn(Role::Active, who, reply),
            Action::HoldBack => self.turn(Role::Standby, who, reply),
            Action::Prepare => self.prepare(reply),
            Action::Yield => self.give_way(who, reply),
            Action::Overrule { .. } => self.overrule(action, who, reply),
            Action::Stop => {
                self.stoppers.push(reply);
                self.stop("TERM");
            }
            Action::Reload { force } => {
                let force = *force;
                let reloaders = vec![reply];
                self.reload(Wish {
                    force,
                    reloaders,
                    ..Wish::default()
                });
            }
            Action::Standby { .. } | Action::Takeover { .. } => {
                reply.answer(Err("a director has no groups: ask hbd".to_owned()));
            }
        }
    }
}
