//! Where `hbd check` and the old daemon disagree on purpose, and why.

use super::judges::Verdict;
use super::{Case, File};

/// A disagreement with its reason. Texts are pieces of what the two say; an empty one fits all.
struct Known {
    file: File,
    /// Of an error of the old daemon, where it refuses.
    old: &'static str,
    /// Of what `hbd check` tells. Where hbd takes what the old daemon refuses, it is a warning,
    /// unless only hbd can know the word.
    new: &'static str,
    /// Of a text that cannot be told from `old` and `new` alone.
    when: fn(&str) -> bool,
    reason: &'static str,
}

const fn stricter(file: File, new: &'static str, reason: &'static str) -> Known {
    milder(file, "", new, reason)
}

const fn milder(file: File, old: &'static str, new: &'static str, reason: &'static str) -> Known {
    Known {
        file,
        old,
        new,
        when: |_| true,
        reason,
    }
}

/// hbd refuses, Heartbeat does not.
const STRICTER: &[Known] = &[
    stricter(
        File::HaCf,
        ": . is not a time",
        "a point without digits is 0 by accident",
    ),
    stricter(
        File::HaCf,
        ": .. is not a time",
        "a point without digits is 0 by accident",
    ),
    stricter(
        File::HaCf,
        ": 1.2.3 is not a time",
        "a time with two points is cut by accident",
    ),
    stricter(
        File::HaCf,
        "No heartbeat media defined",
        "a ping node is a medium to Heartbeat, but reaches no node",
    ),
    stricter(
        File::HaCf,
        "=lb1 is not a node name",
        "no machine can have a name with this character",
    ),
    stricter(
        File::HaCf,
        "n=1 is not a node name",
        "no machine can have a name with this character",
    ),
    stricter(
        File::HaCf,
        "mcast port: 70000",
        "a port beyond 65535 is another one by accident",
    ),
    stricter(
        File::HaCf,
        "udpport: 65536",
        "a port beyond 65535 is another one by accident",
    ),
    stricter(
        File::Authkeys,
        "this line is not `auth` and a key number",
        "a line that says nothing is a fault, even if a later one replaces it",
    ),
    stricter(
        File::Authkeys,
        "Auth Key [",
        "the last auth line names no key; Heartbeat is content with the key of an earlier one",
    ),
    stricter(
        File::Haresources,
        "IPaddr",
        "the daemon looks at node names only; the script would fail at the first takeover",
    ),
    stricter(
        File::Haresources,
        "are one word: nothing but backslash",
        "two resources that became one by accident",
    ),
    stricter(
        File::Haresources,
        "a backslash that does not end its line",
        "the backslash would be a resource",
    ),
    stricter(
        File::Haresources,
        "is the first resource of the group in line",
        "ResourceManager mixes groups of one key",
    ),
    stricter(
        File::Haresources,
        "does not begin with the name of a script",
        "no script can have this name",
    ),
    Known {
        when: |text| {
            let mut lines = text.lines();
            lines.any(|line| line.ends_with('\\') && line.contains('#'))
        },
        ..stricter(
            File::Haresources,
            "Bad nodename in ",
            "a comment that ends in a backslash hides the next line from the daemon, but not from \
             ResourceManager",
        )
    },
];

/// Heartbeat refuses, hbd warns.
const MILDER: &[Known] = &[
    milder(
        File::HaCf,
        "Illegal directive [builtin]",
        "",
        "a directive that only hbd knows",
    ),
    milder(
        File::HaCf,
        "does not exist",
        "",
        "without a look at the machine every interface is believed",
    ),
    milder(
        File::HaCf,
        "Invalid core directory",
        "coreroot is not honoured",
        "without a look at the machine every directory is believed",
    ),
    milder(
        File::HaCf,
        "unknown host",
        "",
        "without a resolver every host is believed",
    ),
    milder(
        File::HaCf,
        "No Stonith hostname",
        "stonith_host needs a host",
        "nothing of the line is used",
    ),
    milder(
        File::HaCf,
        "is not executable",
        "is not started in this release",
        "without a look at the machine every program is believed",
    ),
    milder(
        File::HaCf,
        "Heartbeat not started: configuration error.",
        "crm_daemon_dir is not honoured",
        "the directory of Pacemaker's daemons is looked for",
    ),
    milder(
        File::Authkeys,
        "Auth Key [",
        "the auth line comes after key",
        "the order of lines in authkeys does not matter to hbd",
    ),
    milder(
        File::Haresources,
        "Bad nodename in ",
        "takes it for a part of the node's name and refuses",
        "what ResourceManager understands, the daemon does not",
    ),
];

/// Why these two verdicts differ, if that is known. Every error of the stricter one needs a reason.
pub(super) fn reason(case: &Case, old: &Verdict, new: &Verdict) -> Option<&'static str> {
    let text = case.text();
    let fits = |known: &&Known| known.file == case.file && (known.when)(&text);
    if old.accepted {
        let errors = errors(&new.said);
        let explain = |error: &&str| {
            let mut known = STRICTER.iter().filter(fits);
            known.find(|known| error.contains(known.new))
        };
        let reasons: Option<Vec<&Known>> = errors.iter().map(explain).collect();
        return reasons?.first().map(|known| known.reason);
    }
    let mut known = MILDER.iter().filter(fits);
    known
        .find(|known| old.said.contains(known.old) && new.said.contains(known.new))
        .map(|known| known.reason)
}

/// The first lines of our errors.
fn errors(said: &str) -> Vec<&str> {
    said.lines()
        .filter_map(|line| line.strip_prefix("error: "))
        .collect()
}
