//! Users and groups of this machine's own files. Directory services are not asked: a cluster's own
//! group must not depend on the network.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

/// The number of a group.
pub(super) fn group_id(name: &str) -> Option<u32> {
    group(&fs::read_to_string("/etc/group").ok()?, name).map(|(gid, _)| gid)
}

/// Number and members of a group; group(5) is `name:password:gid:member,…`.
pub(super) fn group<'a>(groups: &'a str, name: &str) -> Option<(u32, BTreeSet<&'a str>)> {
    let mut lines = groups.lines();
    let line = lines.find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    let gid = fields.next()?.parse().ok()?;
    let members = fields.next().unwrap_or_default().split(',');
    Some((gid, members.filter(|member| !member.is_empty()).collect()))
}

/// All users by number; passwd(5) is `name:password:uid:…`.
pub(super) fn users(passwd: &str) -> BTreeMap<u32, &str> {
    let users = passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let uid = fields.nth(1)?.parse().ok()?;
        Some((uid, name))
    });
    // The first of several names for one number is the one that the system shows.
    users.rev().collect()
}
