//! Who may act: root, whoever runs the daemon, and the members of one group of /etc/group.

use super::{accounts, caller::Credentials};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::MetadataExt,
};

/// Read once, when the daemon starts: asking for users must not hold the loop up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Admins {
    users: BTreeSet<u32>,
    group: Option<u32>,
    names: BTreeMap<u32, String>,
}

impl Admins {
    pub(super) fn read(group: &str) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let mut admins = Self::parse(group, &read("/etc/group"), &read("/etc/passwd"));
        // This process's own user, whom the kernel names as the owner of its folder in /proc.
        admins
            .users
            .extend(fs::metadata("/proc/self").map(|own| own.uid()));
        admins
    }

    fn parse(group: &str, groups: &str, passwd: &str) -> Self {
        let users = accounts::users(passwd);
        let mut admins = Self {
            users: BTreeSet::from([0]),
            group: None,
            names: BTreeMap::new(),
        };
        if let Some((gid, members)) = accounts::group(groups, group) {
            admins.group = Some(gid);
            let found = users.iter().filter(|(_, name)| members.contains(*name));
            admins.users.extend(found.map(|(uid, _)| *uid));
        }
        let names = users.into_iter();
        admins.names = names.map(|(uid, name)| (uid, name.to_owned())).collect();
        admins
    }

    pub(super) fn may_act(&self, who: Credentials) -> bool {
        self.users.contains(&who.uid) || self.group == Some(who.gid)
    }

    /// `alice (uid 1000, pid 123)`, for the log.
    pub(super) fn describe(&self, who: Credentials) -> String {
        let name = self.names.get(&who.uid).map_or("somebody", String::as_str);
        match who.pid {
            Some(pid) => format!("{name} (uid {}, pid {pid})", who.uid),
            None => format!("{name} (uid {})", who.uid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: &str = "root:x:0:\nhaclient:x:110:alice,bob\nother:x:7:carol\n";
    const USERS: &str = "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/:/bin/sh\n\
                         carol:x:1002:1002::/:/bin/sh\ntoor:x:0:0::/root:/bin/sh\n";

    fn who(uid: u32, gid: u32) -> Credentials {
        let pid = None;
        Credentials { uid, gid, pid }
    }

    fn may(uid: u32, gid: u32) -> bool {
        Admins::parse("haclient", GROUPS, USERS).may_act(who(uid, gid))
    }

    #[test]
    fn root_members_and_the_group_itself_may_act() {
        assert!(may(0, 0));
        assert!(may(1000, 1000), "alice is a member");
        assert!(may(1005, 110), "the group is this user's own");
        assert!(!may(1002, 1002), "carol is a member of another group");
    }

    #[test]
    fn without_the_group_only_root_may() {
        let admins = Admins::parse("haclient", "", USERS);
        assert!(admins.may_act(who(0, 0)));
        assert!(!admins.may_act(who(1000, 110)));
    }

    #[test]
    fn who_acted_is_named_for_the_log() {
        let admins = Admins::parse("haclient", GROUPS, USERS);
        assert_eq!(admins.describe(who(0, 0)), "root (uid 0)");
        let pid = Some(12);
        let alice = Credentials {
            pid,
            ..who(1000, 110)
        };
        assert_eq!(admins.describe(alice), "alice (uid 1000, pid 12)");
        assert_eq!(admins.describe(who(7, 7)), "somebody (uid 7)");
    }
}
