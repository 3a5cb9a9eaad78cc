//! What a group is, however its line is written: the addresses and the disks that it holds. Two nodes
//! whose haresources differ know by that which of their groups are the same, and run it once.

use crate::resources::address::AddressSpec;
use hbd_core::config::ResourceConfig;
use std::collections::BTreeSet;

/// Scripts whose first argument is an address.
const ADDRESS_SCRIPTS: [&str; 3] = ["IPaddr", "IPaddr2", "IPv6addr"];
/// Scripts whose first argument names data that two nodes must never use at once.
const DATA_SCRIPTS: [&str; 6] = [
    "Filesystem",
    "drbddisk",
    "drbdupper",
    "LVM",
    "Raid1",
    "ServeRAID",
];

/// In a fixed order; empty if the group holds neither.
pub(super) fn holdings(resources: &[ResourceConfig]) -> Vec<String> {
    let held: BTreeSet<String> = resources.iter().filter_map(holding).collect();
    held.into_iter().collect()
}

fn holding(resource: &ResourceConfig) -> Option<String> {
    let script = resource.script.as_str();
    if ADDRESS_SCRIPTS.contains(&script) {
        let spec = AddressSpec::parse(&resource.args).ok()?;
        return Some(format!("address {}", spec.ip));
    }
    let data = resource
        .args
        .first()
        .filter(|_| DATA_SCRIPTS.contains(&script))?;
    Some(format!("data {data}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(word: &str) -> ResourceConfig {
        let mut parts = word.split("::").map(str::to_owned);
        ResourceConfig {
            script: parts.next().unwrap_or_default(),
            args: parts.collect(),
        }
    }

    fn held(words: &[&str]) -> Vec<String> {
        let resources: Vec<ResourceConfig> = words.iter().map(|word| resource(word)).collect();
        holdings(&resources)
    }

    #[test]
    fn an_address_is_the_same_however_it_is_written() {
        let spellings = [
            "IPaddr::10.77.0.100",
            "IPaddr::10.77.0.100/24/eth0",
            "IPaddr2::10.77.0.100/255.255.255.0/eth1:vip/10.77.0.255",
        ];
        for spelling in spellings {
            assert_eq!(held(&[spelling]), ["address 10.77.0.100"], "{spelling}");
        }
    }

    #[test]
    fn a_group_is_its_addresses_and_disks_whatever_else_it_starts() {
        let short = held(&["IPaddr::10.77.0.100", "drbddisk::r0", "ldirectord::l.cf"]);
        let long = held(&["MailTo::root", "drbddisk::r0", "IPaddr2::10.77.0.100/24"]);
        assert_eq!(short, long);
        assert_eq!(short, ["address 10.77.0.100", "data r0"]);
        assert!(held(&["ldirectord::l.cf", "httpd"]).is_empty());
    }
}
