//! What the machine around the daemon means for its decisions: which interfaces have a carrier, and
//! which groups cannot run here because an interface or a network of theirs is not there. Pure: a
//! view of the kernel's tables in, inputs of the core out, each change once.

use crate::resources::address::AddressSpec;
use crate::resources::view::View;
use hbd_core::config::{GroupConfig, GroupId};
use hbd_core::input::Input;
use hbd_core::table::Table;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Scripts whose first argument is an address that they put.
const ADDRESS_SCRIPTS: [&str; 2] = ["IPaddr", "IPaddr2"];

pub struct Surroundings {
    groups: Table<GroupId, Vec<Need>>,
    /// Groups that failed here while something that they need was not there.
    hindered: BTreeSet<GroupId>,
    /// As the core knows it.
    carriers: BTreeMap<String, bool>,
}

/// An address of a group.
#[derive(Debug)]
struct Need {
    word: String,
    spec: AddressSpec,
}

impl Surroundings {
    pub fn new(groups: &Table<GroupId, GroupConfig>) -> Self {
        let groups = groups.iter().map(|(id, group)| (id, needs(group)));
        Self {
            groups: groups.collect(),
            hindered: BTreeSet::new(),
            carriers: BTreeMap::new(),
        }
    }

    /// A held address has been missing for too long: what that means for the groups that hold it.
    pub fn lost(&mut self, ip: IpAddr, device: &str, why: &str, view: &View) -> Vec<Input> {
        let is_it = |need: &Need| {
            let named = need.spec.device.as_deref();
            need.spec.ip == ip && named.is_none_or(|named| named == device)
        };
        let found = self.groups.iter().filter_map(|(id, needs)| {
            let need = needs.iter().find(|need| is_it(need))?;
            Some((id, need.word.clone()))
        });
        let found: Vec<(GroupId, String)> = found.collect();
        let inputs = found.into_iter().map(|(group, resource)| {
            self.failed(group, view);
            let reason = why.to_owned();
            Input::Lost {
                group,
                resource,
                reason,
            }
        });
        inputs.collect()
    }

    /// The group has failed here: is something missing that may return?
    pub fn failed(&mut self, group: GroupId, view: &View) {
        if !self.can_run(group, view) {
            self.hindered.insert(group);
        }
    }

    /// What differs from the last time. `media` are the interfaces by which heartbeats travel, and
    /// whether they can.
    pub fn look(&mut self, view: &View, media: &BTreeMap<String, bool>) -> Vec<Input> {
        let mut inputs = Vec::new();
        for (interface, carrier) in self.interfaces(view, media) {
            if self.carriers.insert(interface.clone(), carrier) != Some(carrier) {
                inputs.push(Input::Carrier { interface, carrier });
            }
        }
        let groups = std::mem::take(&mut self.hindered);
        let (mended, hindered) = groups
            .into_iter()
            .partition::<BTreeSet<GroupId>, _>(|group| self.can_run(*group, view));
        self.hindered = hindered;
        inputs.extend(mended.into_iter().map(|group| Input::Mended { group }));
        inputs
    }

    /// Every interface that connects this node with anybody. A loopback connects with nobody.
    fn interfaces(&self, view: &View, media: &BTreeMap<String, bool>) -> BTreeMap<String, bool> {
        let needs = self.groups.values().flatten();
        let mut clients: BTreeSet<String> = needs
            .filter_map(|need| match &need.spec.device {
                Some(device) => Some(device.clone()),
                None => view.device_towards(need.spec.ip).map(str::to_owned),
            })
            .collect();
        // Where no address tells how clients come, any network may be theirs: a pair whose only
        // medium is a direct cable must not take its peer's power loss for a fault of its own.
        if clients.is_empty() && self.groups.values().all(Vec::is_empty) {
            clients.extend(view.network_devices().map(str::to_owned));
        }
        // One that was of use once and is gone from the tables has lost its carrier for sure.
        clients.extend(self.carriers.keys().cloned());
        let mut all: BTreeMap<String, bool> = clients
            .into_iter()
            .map(|device| {
                let link = view.link_named(&device);
                let carrier = link.is_some_and(|link| link.up && link.carrier);
                (device, carrier)
            })
            .collect();
        // Whether a medium can be used says more than its cable.
        all.extend(media.iter().map(|(device, works)| (device.clone(), *works)));
        all.retain(|device, _| view.link_named(device).is_none_or(|link| !link.loopback));
        all
    }

    /// Is everything there that the group's addresses need?
    fn can_run(&self, group: GroupId, view: &View) -> bool {
        let needs = self.groups.get(group);
        let mut needs = needs.into_iter().flatten();
        needs.all(|need| match &need.spec.device {
            Some(device) => view.link_named(device).is_some_and(|link| link.up),
            None => view.is_connected(need.spec.ip),
        })
    }
}

fn needs(group: &GroupConfig) -> Vec<Need> {
    let resources = group.resources.iter();
    let addresses = resources.filter(|r| ADDRESS_SCRIPTS.contains(&r.script.as_str()));
    addresses
        .filter_map(|resource| {
            let spec = AddressSpec::parse(&resource.args).ok()?;
            let word = format!("{}::{}", resource.script, resource.args.join("::"));
            Some(Need { word, spec })
        })
        .collect()
}

#[cfg(test)]
mod tests;
