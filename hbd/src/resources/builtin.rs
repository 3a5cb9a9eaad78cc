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
        let mut promised = self.promised();
        let mut placements = Vec::with_capacity(resources.len());
        for resource in resources {
            let placed = resource
                .spec
                .clone()
                .and_then(|spec| place(&spec, resource.labels, &view, &mut promised));
            placements.push(placed.map_err(|why| Failed {
                resource,
                why: why.into(),
            })?);
        }
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
        let wanted = |placement: &Placement| {
            resources.iter().any(|resource| {
                resource
                    .spec
                    .as_ref()
                    .is_ok_and(|spec| spec.ip == placement.ip)
            })
        };
        let placements: Vec<Placement> = self
            .kernel
            .held()
            .values()
            .filter(|placement| wanted(placement))
            .cloned()
            .collect();
        self.announcer.announce(&placements, &view, &self.kernel);
        Ok(())
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

    /// Labels of held addresses: some of them may not be visible in the view yet.
    fn promised(&self) -> LabelNumbers {
        let mut promised = LabelNumbers::new();
        for placement in self.kernel.held().values() {
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
