//! IPaddr and IPaddr2 without a fork: several addresses of a group are put, taken away and looked
//! at together, and announced to the neighbours.
//!
//! The shipped scripts of the same names call this very code (`hbd resource IPaddr …`), so both
//! ways give the same result.

use super::address::{AddressError, AddressSpec, Labels, Placement, place};
use super::kernel::{Kernel, KernelError};
use super::promotion;
use super::view::{AddressRow, LabelNumbers, View, numbered};
use crate::announce::Announcer;
use hbd_core::config::PREPARED_LIFE;
use thiserror::Error;

/// An address as a resource of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressResource {
    /// As it stands in haresources, e.g. `IPaddr::10.0.0.1/24/eth0`.
    pub word: String,
    /// A wrong argument is told when the address is needed, not before: the old daemon would have
    /// started with it as well.
    pub spec: Result<AddressSpec, AddressError>,
    pub labels: Labels,
}

#[derive(Debug, Clone, Error)]
pub enum AddressFailure {
    #[error(transparent)]
    Argument(#[from] AddressError),
    #[error(transparent)]
    Kernel(#[from] KernelError),
}

/// Which resource failed, and why.
#[derive(Debug, Clone)]
pub struct Failed<'a> {
    pub resource: &'a AddressResource,
    pub why: AddressFailure,
}

impl AddressResource {
    /// The resource of that script name, if it is one that is built in.
    pub fn of(word: String, script: &str, args: &[String]) -> Option<Self> {
        let labels = match script {
            "IPaddr" => Labels::Numbered,
            "IPaddr2" => Labels::Written,
            _ => return None,
        };
        Some(Self {
            word,
            spec: AddressSpec::parse(args),
            labels,
        })
    }
}

/// The means that addresses need; clones share everything.
#[derive(Clone)]
pub struct Addresses {
    pub kernel: Kernel,
    pub announcer: Announcer,
}

impl Addresses {
    /// Puts all of them, holds them from then on, and announces them. One that is there already is
    /// adopted. On failure some may be there: stop them.
    pub async fn start<'a>(&self, resources: &'a [AddressResource]) -> Result<(), Failed<'a>> {
        let view = self.view(resources).await?;
        let placements = self.places(resources, &view)?;
        // Held before they are put: a concurrent start must see that the label is taken, and a
        // removal between the two must be noticed.
        for placement in &placements {
            self.kernel.hold(placement.clone());
        }
        let results = self.kernel.add(&placements).await;
        for (resource, result) in resources.iter().zip(results) {
            result.map_err(|why| Failed {
                resource,
                why: why.into(),
            })?;
        }
        self.announcer.announce(&placements, &view, &self.kernel);
        Ok(())
    }

    /// Puts all of them for [`PREPARED_LIFE`] and announces them: a group that another node still runs
    /// is about to start here. Those that were not there before are named first, to be put again or
    /// taken away; on failure none of them stays.
    pub async fn prepare<'a>(
        &self,
        resources: &'a [AddressResource],
        name: impl FnOnce(&[Placement]),
    ) -> Result<(), Failed<'a>> {
        let view = self.view(resources).await?;
        let mut placements = self.places(resources, &view)?;
        placements.retain(|placement| !view.has(placement.link, placement.ip));
        name(&placements);
        for placement in placements.iter().filter(|placement| placement.ip.is_ipv4()) {
            // When one of them leaves, others of its network stay.
            if let Err(error) = promotion::ensure(&placement.device) {
                tracing::debug!("promote_secondaries of {}: {error}", placement.device);
            }
        }
        if let Err(why) = self.renew(&placements).await {
            self.unprepare(&placements).await;
            let resource = resources
                .first()
                .expect("a run of addresses is never empty");
            let why = why.into();
            return Err(Failed { resource, why });
        }
        self.announcer.announce(&placements, &view, &self.kernel);
        Ok(())
    }

    /// They stay for [`PREPARED_LIFE`] from now on.
    pub async fn renew(&self, prepared: &[Placement]) -> Result<(), KernelError> {
        let results = self.kernel.add_for(prepared, PREPARED_LIFE).await;
        results.into_iter().collect()
    }

    /// The group does not start, after all. What cannot be deleted leaves when its time is over.
    pub async fn unprepare(&self, prepared: &[Placement]) {
        self.kernel.drop_prepared(prepared);
        let rows: Vec<AddressRow> = prepared.iter().map(Placement::row).collect();
        for (row, result) in rows.iter().zip(self.kernel.delete(&rows).await) {
            if let Err(error) = result {
                tracing::debug!("{} stays for a moment: {error}", row.ip);
            }
        }
    }

    /// Another node is about to have them: these announcements would contradict its own.
    pub fn quieten(&self, resources: &[AddressResource]) {
        self.kernel.quieten(&self.held(resources), true);
    }

    /// Where all of them go.
    fn places<'a>(
        &self,
        resources: &'a [AddressResource],
        view: &View,
    ) -> Result<Vec<Placement>, Failed<'a>> {
        let mut promised = self.promised();
        let mut placements = Vec::with_capacity(resources.len());
        for resource in resources {
            let placed = resource
                .spec
                .clone()
                .and_then(|spec| place(&spec, resource.labels, view, &mut promised));
            placements.push(placed.map_err(|why| Failed {
                resource,
                why: why.into(),
            })?);
        }
        Ok(placements)
    }

    /// Takes all of them away, wherever they are, right to left: the one that was put first is the
    /// kernel's primary address of its network, and deleting that before the others makes it
    /// build the routes of every other one anew.
    pub async fn stop<'a>(&self, resources: &'a [AddressResource]) -> Result<(), Failed<'a>> {
        // Where they were held: an interface may have another name by now, and the tables may not
        // show everything. Deleted whatever they show.
        let mut held = Vec::new();
        for spec in specs(resources) {
            held.extend(self.kernel.release(spec.ip, spec.device.as_deref()));
        }
        let view = self.view(resources).await?;
        let mut owners = Vec::with_capacity(resources.len());
        let mut rows = Vec::with_capacity(resources.len());
        for resource in resources.iter().rev() {
            // What cannot be read cannot have been put.
            let Ok(spec) = &resource.spec else { continue };
            let mut found: Vec<AddressRow> = view
                .present(spec.ip, spec.device.as_deref())
                .cloned()
                .collect();
            for placement in held.iter().filter(|held| held.ip == spec.ip) {
                let mut there = view.addresses_of(placement.link);
                let there = there.find(|row| row.ip == placement.ip);
                let row = there.cloned().unwrap_or_else(|| placement.row());
                if !found.contains(&row) {
                    found.push(row);
                }
            }
            for row in found {
                owners.push(resource);
                rows.push(row);
            }
        }
        for row in rows
            .iter()
            .filter(|row| row.ip.is_ipv4() && view.shares_network(row))
        {
            if let Some(link) = view.link(row.link)
                && let Err(error) = promotion::ensure(&link.name)
            {
                tracing::debug!("promote_secondaries of {}: {error}", link.name);
            }
        }
        let results = self.kernel.delete(&rows).await;
        for (resource, result) in owners.into_iter().zip(results) {
            result.map_err(|why| Failed {
                resource,
                why: why.into(),
            })?;
        }
        self.kernel.forget(&held);
        Ok(())
    }

    /// For each of them: is it there?
    pub async fn status(&self, resources: &[AddressResource]) -> Result<Vec<bool>, KernelError> {
        let view = self.routed_view(resources).await?;
        let there = |resource: &AddressResource| match &resource.spec {
            Ok(spec) => {
                let mut present = view.present(spec.ip, spec.device.as_deref());
                present.next().is_some()
            }
            Err(_) => false,
        };
        Ok(resources.iter().map(there).collect())
    }

    /// Tells the neighbours again.
    pub async fn announce(&self, resources: &[AddressResource]) -> Result<(), KernelError> {
        let view = self.kernel.view().await?;
        let placements = self.held(resources);
        self.kernel.quieten(&placements, false);
        self.announcer.announce(&placements, &view, &self.kernel);
        Ok(())
    }

    /// Those of them that this node holds.
    fn held(&self, resources: &[AddressResource]) -> Vec<Placement> {
        let wanted = |placement: &&Placement| specs(resources).any(|spec| spec.ip == placement.ip);
        let held = self.kernel.held();
        held.values().filter(wanted).cloned().collect()
    }

    async fn view<'a>(
        &self,
        resources: &'a [AddressResource],
    ) -> Result<std::sync::Arc<View>, Failed<'a>> {
        let resource = resources
            .first()
            .expect("a run of addresses is never empty");
        let view = self.routed_view(resources).await;
        view.map_err(|why| Failed {
            resource,
            why: why.into(),
        })
    }

    /// The tables, with a route for each resource that names no interface and is in the network of
    /// no address.
    async fn routed_view(
        &self,
        resources: &[AddressResource],
    ) -> Result<std::sync::Arc<View>, KernelError> {
        let unnamed = specs(resources).filter(|spec| spec.device.is_none());
        let ips = unnamed.map(|spec| spec.ip);
        self.kernel.view_towards(ips).await
    }

    /// Labels of held and of prepared addresses: some of them may not be visible in the view yet.
    fn promised(&self) -> LabelNumbers {
        let mut promised = LabelNumbers::new();
        let mut placements: Vec<Placement> = self.kernel.held().values().cloned().collect();
        placements.extend(self.kernel.prepared().values().cloned());
        for placement in &placements {
            if let Some((device, number)) = placement.label.as_deref().and_then(numbered) {
                promised
                    .entry(device.to_owned())
                    .or_default()
                    .insert(number);
            }
        }
        promised
    }
}

/// Those whose words can be read.
fn specs(resources: &[AddressResource]) -> impl Iterator<Item = &AddressSpec> {
    resources
        .iter()
        .filter_map(|resource| resource.spec.as_ref().ok())
}
