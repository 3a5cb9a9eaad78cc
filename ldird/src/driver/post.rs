//! Mail beside the loop: the core's decisions on one side, tasks that hand mails over on the other.

use super::Driver;
use crate::config::{Configuration, Mail as Settings};
use crate::mail::{Office, Sent};
use crate::wording::{self, Line};
use ha_status::{Role, Severity};
use ldird_core::alerts::{Alerts, Audience, Event, Mail, Output};
use ldird_core::output::Notice;
use ldird_core::overrides::Place;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Mails handed over at once; further ones wait.
const MAILS_MAX: usize = 4;
/// At the end the last mails are waited for no longer.
const LAST_LIMIT: Duration = Duration::from_secs(2);

/// What came of a mail.
#[derive(Debug)]
pub(super) struct Delivered {
    audience: Audience,
    sent: Sent,
}

#[derive(Debug)]
pub(super) struct Post {
    alerts: Alerts,
    office: Arc<Office>,
    settings: Arc<Settings>,
    places: Arc<Semaphore>,
    tasks: JoinSet<Delivered>,
}

impl Post {
    pub(super) fn new(office: Office, settings: &Settings, role: Role, now: Instant) -> Self {
        let mut alerts = Alerts::default();
        alerts.handle(Event::Rules(settings.rules.clone()), now);
        if role == Role::Standby {
            alerts.handle(Event::Turn(role), now);
            alerts.handle(Event::Notice(Notice::Turned(role)), now);
        }
        Self {
            alerts,
            office: Arc::new(office),
            settings: Arc::new(settings.clone()),
            places: Arc::new(Semaphore::new(MAILS_MAX)),
            tasks: JoinSet::new(),
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.alerts.deadline()
    }

    /// What came of the next mail; waits for ever while none is under way. Dropping the future loses
    /// nothing.
    pub(super) async fn delivered(&mut self) -> Delivered {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(delivered)) => return delivered,
                // A bug that cost one mail.
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }

    fn send(&mut self, mail: Mail) {
        let (office, settings) = (Arc::clone(&self.office), Arc::clone(&self.settings));
        let places = Arc::clone(&self.places);
        self.tasks.spawn(async move {
            // Only closing it fails, and nobody does.
            let _place = places.acquire().await;
            let sent = office.send(&mail, &settings).await;
            let audience = mail.audience;
            Delivered { audience, sent }
        });
    }
}

impl<R: FnOnce(&Configuration)> Driver<R> {
    /// The only way into the core of mails.
    fn mail(&mut self, event: Event) {
        self.post.alerts.handle(event, Instant::now());
        while let Some(output) = self.post.alerts.poll() {
            match output {
                Output::Told(alert) => {
                    let text = format!("emailalert: {}", wording::alert(&alert));
                    self.tell(&Line::new(Severity::Info, text));
                }
                Output::Send(mail) => {
                    self.bell.ring();
                    self.post.send(mail);
                }
                Output::Lost { audience, alerts } => {
                    let are = if alerts == 1 { "is" } else { "are" };
                    let alerts = wording::counted(alerts, "alert");
                    let text = format!("{alerts} to {} {are} lost", audience.to);
                    self.tell(&Line::new(Severity::Error, text));
                }
            }
        }
    }

    pub(super) fn mail_notice(&mut self, notice: &Notice) {
        if !self.configuration.operations.mail.rules.is_empty() {
            self.mail(Event::Notice(notice.clone()));
        }
    }

    pub(super) fn mail_turn(&mut self, role: Role) {
        self.mail(Event::Turn(role));
    }

    /// A real server is in maintenance from now on: nobody is reminded of it.
    pub(super) fn mail_maintenance(&mut self, (service, real): Place) {
        self.mail(Event::Maintenance { service, real });
    }

    pub(super) fn mail_tick(&mut self, now: Instant) {
        if self.post.deadline().is_some_and(|due| due <= now) {
            self.mail(Event::Tick);
        }
    }

    pub(super) fn mail_rules(&mut self) {
        let settings = &self.configuration.operations.mail;
        self.post.settings = Arc::new(settings.clone());
        let rules = settings.rules.clone();
        self.mail(Event::Rules(rules));
    }

    /// Which services have been looked at as a whole since they came.
    pub(super) fn mail_settled(&mut self) {
        let director = &self.director;
        let unsettled = self.post.alerts.unsettled();
        let settled: Vec<_> = unsettled.filter(|key| director.is_settled(*key)).collect();
        for service in settled {
            self.mail(Event::Settled(service));
        }
    }

    pub(super) fn delivered(&mut self, delivered: Delivered) {
        let Delivered { audience, sent } = delivered;
        // The old daemon's words.
        let what = match audience.relay {
            Some(_) => "failed to send SMTP email message",
            None => "failed to send email message",
        };
        let arrived = match sent {
            Sent::Arrived => true,
            Sent::InPart(why) => {
                let text = format!("{what} to some: {why}");
                self.tell(&Line::new(Severity::Error, text));
                true
            }
            Sent::Failed(why) => {
                self.tell(&Line::new(Severity::Error, format!("{what}: {why}")));
                false
            }
        };
        self.mail(Event::Delivered { audience, arrived });
    }

    /// The last mails; a mail server that hangs holds nobody up for long.
    pub(super) async fn finish_post(&mut self) {
        self.mail(Event::End);
        let last = async {
            while !self.post.alerts.is_at_rest() {
                let delivered = self.post.delivered().await;
                self.delivered(delivered);
            }
        };
        if timeout(LAST_LIMIT, last).await.is_err() {
            let text = "failed to send the last email messages in time: they are lost";
            self.tell(&Line::new(Severity::Error, text));
        }
    }
}
