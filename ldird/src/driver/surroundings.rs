//! What the loop sees around itself once a second: the configuration file, the maintenance directory,
//! the pid file, the kernel's counters.

use super::reload::Wish;
use super::{COUNT_EVERY_LOOKS, Driver};
use crate::apply::Order;
use crate::config::Configuration;
use crate::disk::Found;
use crate::maintenance::Change;
use crate::watch::Seen;
use crate::wording::{self, Line};
use ha_plumbing::lockfile::Lockfile;
use ha_plumbing::service;
use ha_status::Severity;
use ldird_core::input::Input;
use std::time::Instant;

impl<R: FnOnce(&Configuration)> Driver<R> {
    /// Once a second: disk, counters, and a sign of life for the service manager.
    pub(super) fn look(&mut self) {
        service::watchdog();
        // In memory, as /run is: looking never waits.
        if let Some(said) = self.pidfile.as_mut().and_then(Lockfile::refill) {
            self.tell(&Line::new(said.severity(), said.to_string()));
        }
        self.mark_late();
        self.judge_trials();
        self.mail_settled();
        self.disk.look(self.configuration.maintenancedir.clone());
        self.looks_since_count += 1;
        let due = self.looks_since_count >= COUNT_EVERY_LOOKS || self.view.is_followed();
        if due && !self.counting && self.end.is_none() {
            self.counting = true;
            self.looks_since_count = 0;
            self.kernel.order(Order::Count);
        }
    }

    pub(super) fn found(&mut self, found: Found) {
        let core = &self.configuration.core;
        let changes = match found {
            Found::Hosts(hosts) => self.maintenance.resolved(hosts, core),
            Found::Look { file, listing } => {
                let changes = self.maintenance.heard(listing, core);
                self.file_seen(file);
                changes
            }
        };
        self.maintain(changes);
        if !self.disk.is_resolving() {
            let questions = self.maintenance.questions(Instant::now());
            self.disk.resolve(questions);
        }
    }

    pub(super) fn maintain(&mut self, changes: Vec<Change>) {
        for change in changes {
            self.tell(&wording::maintenance(&change));
            self.reconsider(change.service);
            if change.active {
                self.mail_maintenance((change.service, change.real));
            }
            self.feed(Input::Maintenance {
                service: change.service,
                real: change.real,
                active: change.active,
            });
        }
        if let Some(trouble) = self.maintenance.trouble() {
            self.tell(&wording::maintenance_unread(&trouble));
        }
        for file in self.maintenance.strangers() {
            self.tell(&wording::stranger(&file));
        }
    }

    fn file_seen(&mut self, seen: Seen) {
        let path = self.instance.path.display();
        match seen {
            Seen::Same => {}
            Seen::Vanished => {
                let pid = std::process::id();
                let text = format!("Warning [{pid}]: can not open file {path} for checking");
                self.tell(&Line::new(Severity::Warning, text));
            }
            Seen::Changed => {
                let text = format!("Configuration file '{path}' has changed on disk");
                self.tell(&Line::new(Severity::Notice, text));
                let autoreload = self.configuration.autoreload;
                let text = if autoreload {
                    " - reread new configuration"
                } else {
                    " - ignore new configuration"
                };
                self.tell(&Line::new(Severity::Notice, text));
                if autoreload {
                    let callback = true;
                    self.reload(Wish {
                        callback,
                        ..Wish::default()
                    });
                } else {
                    self.look_through();
                }
            }
        }
    }
}
