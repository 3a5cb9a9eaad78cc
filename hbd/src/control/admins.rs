//! Who may act: root, whoever runs the daemon, and the members of one group of /etc/group.

use ha_status::socket::Credentials;
use std::collections::BTreeSet;

/// Read once, when the daemon starts: asking for users must not hold the loop up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Admins {
    users: BTreeSet<u32>,
    group: Option<u32>,
}

impl Admins {
    pub(super) fn read(group: &str) -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let mut admins = Self::parse(group, &read("/etc/group"), &read("/etc/passwd"));
        admins.users.insert(rustix::process::geteuid().as_raw());
        admins
    }

    /// group(5) is `name:password:gid:member,…`, passwd(5) is `name:password:uid:…`.
    fn parse(group: &str, groups: &str, users: &str) -> Self {
        let mut admins = Self {
            users: BTreeSet::from([0]),
            group: None,
        };
        let Some(line) = groups
            .lines()
            .find(|line| line.split(':').next() == Some(group))
        else {
            return admins;
        };
        let mut fields = line.split(':').skip(2);
        admins.group = fields.next().and_then(|gid| gid.parse().ok());
        let members: BTreeSet<&str> = fields.next().unwrap_or_default().split(',').collect();
        admins.users.extend(users.lines().filter_map(|line| {
            let mut fields = line.split(':');
            let member = members.contains(fields.next()?);
            let uid: u32 = fields.nth(1)?.parse().ok()?;
            member.then_some(uid)
        }));
        admins
    }

    pub(super) fn may_act(&self, who: Credentials) -> bool {
        self.users.contains(&who.uid) || self.group == Some(who.gid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: &str = "root:x:0:\nhaclient:x:110:alice,bob\nother:x:7:carol\n";
    const USERS: &str = "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/:/bin/sh\n\
                         carol:x:1002:1002::/:/bin/sh\n";

    fn may(uid: u32, gid: u32) -> bool {
        let pid = None;
        Admins::parse("haclient", GROUPS, USERS).may_act(Credentials { uid, gid, pid })
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
        let who = |uid, gid| Credentials {
            uid,
            gid,
            pid: None,
        };
        assert!(admins.may_act(who(0, 0)));
        assert!(!admins.may_act(who(1000, 110)));
    }
}
