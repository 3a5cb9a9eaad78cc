//! Names without address: what stands in the table and may be theirs stays, until every name has one.

use super::super::drawing::complete;
use super::World;
use ldird_core::config::{Config, VirtualService};
use ldird_core::conversation::Goal;
use ldird_core::overrides::Place;
use ldird_core::table::{DestinationKey, DestinationSpec, Edit, ServiceKey};
use std::collections::{BTreeMap, BTreeSet};

/// What has been so for as long as this director lives.
#[derive(Debug, Default)]
pub(super) struct Nameless {
    /// Services with servers whose names have no address.
    services: BTreeSet<ServiceKey>,
    /// There are services whose names have none, and all of them are to be in the table.
    whole: bool,
    /// Rows that a file has named meanwhile, and services.
    named: BTreeSet<Place>,
    known: BTreeSet<ServiceKey>,
    /// Services of an earlier life.
    left: BTreeSet<ServiceKey>,
}

impl Nameless {
    pub(super) fn new(config: &Config) -> Self {
        let mut life = Self {
            services: config.services.iter().map(|one| one.key).collect(),
            whole: true,
            ..Self::default()
        };
        life.configure(config);
        life
    }

    pub(super) fn configure(&mut self, config: &Config) {
        self.whole &= config.incomplete;
        let incomplete = |key: &ServiceKey| {
            let mut services = config.services.iter();
            services.any(|one| one.key == *key && one.incomplete)
        };
        self.services.retain(incomplete);
        for service in &config.services {
            self.known.insert(service.key);
            let reals = service.reals.iter().map(|real| real.key);
            let rows = reals.chain(service.fallback.as_ref().map(|one| one.key));
            self.named.extend(rows.map(|row| (service.key, row)));
        }
    }
}

impl World {
    /// Before something comes in.
    pub(super) fn note_held_back(&mut self) {
        self.nameless.whole &= !self.holds_back();
    }

    pub(super) fn leave_behind(&mut self, services: &BTreeSet<ServiceKey>) {
        self.nameless.left.extend(services);
    }

    /// A name server answers.
    pub(super) fn perhaps_names_are_found(&mut self) -> Result<(), String> {
        let services = &self.config.services;
        let incomplete = self.config.incomplete || services.iter().any(|one| one.incomplete);
        if !incomplete || !self.names.chance(2) {
            return Ok(());
        }
        self.note(|_| "all names have addresses".to_owned());
        self.summary.told.found += 1;
        let config = complete(&mut self.names, &self.config);
        self.load(config)
    }

    /// What may be that of a name stays.
    pub(super) fn check_nameless(&self, edit: &Edit) -> Result<(), String> {
        let key = edit.service();
        let life = &self.nameless;
        match edit {
            Edit::DeleteDestination(_, row)
                if life.services.contains(&key) && !life.named.contains(&(key, *row)) =>
            {
                Err(format!(
                    "{row} of {key} may be somebody whose name has no address"
                ))
            }
            Edit::DeleteService(_)
                if life.whole
                    && life.left.contains(&key)
                    && !life.known.contains(&key)
                    && self.director.state().goal != Goal::Clean =>
            {
                Err(format!("{key} may be a service whose name has no address"))
            }
            Edit::DeleteDestination(..)
            | Edit::DeleteService(_)
            | Edit::AddDestination(..)
            | Edit::EditDestination(..)
            | Edit::AddService(..)
            | Edit::EditService(..) => Ok(()),
        }
    }

    /// Rows that may be those of names without address.
    pub(super) fn spared(
        &self,
        service: &VirtualService,
    ) -> BTreeMap<DestinationKey, DestinationSpec> {
        let held = self.kernel.table.get(&service.key);
        let rows = held.into_iter().flat_map(|held| &held.destinations);
        let is_named = |row: &DestinationKey| {
            let fallback = service.fallback.as_ref().map(|one| one.key);
            fallback == Some(*row) || service.reals.iter().any(|real| real.key == *row)
        };
        let rows = rows.filter(|(row, _)| service.incomplete && !is_named(row));
        rows.map(|(row, spec)| (*row, spec.clone())).collect()
    }
}
