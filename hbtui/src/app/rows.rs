//! The rows of each panel: how many there are, what stands in each, and what Enter says of it.
//!
//! Rows are iterators, so that drawing touches only those in view.

use super::{App, Panel, Popup};
use crate::text;
use ha_status::{DirectorSnapshot, Fallback, Group, Notice, RealServer, Role, VirtualService};

/// One line of the groups panel.
#[derive(Debug, Clone, Copy)]
pub(crate) enum GroupRow<'a> {
    Group(&'a Group),
    Resources(&'a Group),
    Reason(&'a Group),
}

/// One line of the virtual services panel.
#[derive(Debug, Clone, Copy)]
pub(crate) enum VirtualRow<'a> {
    /// Between several ldirds, and where one is on standby or synchronises connections.
    Director(usize, &'a DirectorSnapshot),
    Service(usize, &'a VirtualService),
    Real(usize, &'a RealServer),
    Fallback(usize, &'a Fallback),
}

/// One line of the events panel.
#[derive(Debug, Clone)]
pub(crate) struct EventRow<'a> {
    pub(crate) from: &'a str,
    pub(crate) notice: &'a Notice,
}

impl VirtualRow<'_> {
    /// The number of the source that says it.
    pub(crate) fn source(&self) -> usize {
        match self {
            VirtualRow::Director(source, _)
            | VirtualRow::Service(source, _)
            | VirtualRow::Real(source, _)
            | VirtualRow::Fallback(source, _) => *source,
        }
    }
}

impl App {
    pub(crate) fn group_rows(&self) -> impl Iterator<Item = GroupRow<'_>> {
        let groups = self.cluster().map(|(_, cluster)| &cluster.groups[..]);
        groups.unwrap_or_default().iter().flat_map(|group| {
            [
                GroupRow::Group(group),
                GroupRow::Resources(group),
                GroupRow::Reason(group),
            ]
        })
    }

    pub(crate) fn virtual_rows(&self) -> impl Iterator<Item = VirtualRow<'_>> {
        let several = self.directors().nth(1).is_some();
        self.directors().flat_map(move |(id, _, director)| {
            let waits = director.duty.role == Role::Standby;
            let head = (several || waits || director.sync.is_some())
                .then_some(VirtualRow::Director(id, director));
            let services = director
                .services
                .iter()
                .flat_map(move |service| self.service_rows(id, service));
            head.into_iter().chain(services)
        })
    }

    fn service_rows<'a>(
        &'a self,
        id: usize,
        service: &'a VirtualService,
    ) -> impl Iterator<Item = VirtualRow<'a>> {
        let open = !self.is_folded(id, &service.id);
        let reals = if open { &service.reals[..] } else { &[] };
        let fallback = service.fallback.as_ref().filter(|_| open);
        std::iter::once(VirtualRow::Service(id, service))
            .chain(reals.iter().map(move |real| VirtualRow::Real(id, real)))
            .chain(
                fallback
                    .into_iter()
                    .map(move |fallback| VirtualRow::Fallback(id, fallback)),
            )
    }

    /// What happened, from everybody, newest last.
    pub(crate) fn event_rows(&self) -> Vec<EventRow<'_>> {
        let mut rows: Vec<EventRow> = Vec::new();
        if let Some((_, cluster)) = self.cluster() {
            rows.extend(events(&cluster.node, &cluster.recent));
        }
        for (_, _, director) in self.directors() {
            rows.extend(events(&director.config, &director.recent));
        }
        rows.extend(events("hbtui", &self.own_notices));
        rows.sort_by_key(|row| row.notice.at_ms);
        rows
    }

    /// How many rows a panel has.
    pub(crate) fn total(&self, panel: Panel) -> usize {
        match panel {
            Panel::Nodes => self.cluster().map_or(0, |(_, cluster)| cluster.nodes.len()),
            Panel::Links => self.cluster().map_or(0, |(_, cluster)| cluster.links.len()),
            Panel::Groups => self.group_rows().count(),
            Panel::Virtuals => self.virtual_rows().count(),
            Panel::Events => {
                let told: usize = self
                    .cluster()
                    .map(|(_, cluster)| cluster.recent.len())
                    .into_iter()
                    .chain(
                        self.directors()
                            .map(|(_, _, director)| director.recent.len()),
                    )
                    .sum();
                told + self.own_notices.len()
            }
        }
    }

    /// Enter: folds a virtual service, else shows all about the row.
    pub(super) fn open(&mut self) {
        let at = self.selected(self.panel, self.total(self.panel));
        let service = match self.virtual_rows().nth(at) {
            Some(VirtualRow::Service(id, service)) if self.panel == Panel::Virtuals => {
                Some((id, service.id.clone()))
            }
            _ => None,
        };
        if let Some(service) = service {
            if !self.folded.remove(&service) {
                self.folded.insert(service);
            }
        } else if let Some((title, lines)) = self.detail(at) {
            self.popup = Some(Popup::Detail { title, lines });
        }
    }

    fn detail(&self, at: usize) -> Option<(String, Vec<String>)> {
        match self.panel {
            Panel::Nodes => {
                let node = self.cluster()?.1.nodes.get(at)?;
                Some((
                    format!("node {}", node.name),
                    text::about_node(node, self.now_ms),
                ))
            }
            Panel::Links => {
                let link = self.cluster()?.1.links.get(at)?;
                Some((
                    format!("link {} {}", link.medium, link.device),
                    text::about_link(link, self.now_ms),
                ))
            }
            Panel::Groups => match self.group_rows().nth(at)? {
                GroupRow::Group(group) | GroupRow::Resources(group) | GroupRow::Reason(group) => {
                    Some((format!("group {}", group.name), text::about_group(group)))
                }
            },
            Panel::Virtuals => match self.virtual_rows().nth(at)? {
                VirtualRow::Real(_, real) => {
                    let title = format!("real server {}", real.address);
                    Some((title, text::about_real(real, self.now_ms)))
                }
                VirtualRow::Fallback(_, fallback) => {
                    let title = format!("fallback {}", fallback.address);
                    Some((title, text::about_fallback(fallback)))
                }
                VirtualRow::Director(_, director) => {
                    let title = format!("ldird {}", director.config);
                    Some((title, text::about_director(director)))
                }
                VirtualRow::Service(..) => None,
            },
            Panel::Events => {
                let rows = self.event_rows();
                let row = rows.get(at)?;
                Some((
                    format!("event of {}", row.from),
                    text::about_notice(row.notice),
                ))
            }
        }
    }
}

fn events<'a>(
    from: &'a str,
    notices: impl IntoIterator<Item = &'a Notice>,
) -> impl Iterator<Item = EventRow<'a>> {
    notices
        .into_iter()
        .map(move |notice| EventRow { from, notice })
}
