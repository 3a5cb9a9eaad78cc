//! Files as people write them, and worse: lines from a grammar of every directive, with odd white
//! space, comments, quotes, numbers, order, repeated and missing parts.

use super::File;
use crate::suite::random::Random;

/// A file's lines; the last one ends in a line feed as well.
pub(super) type Lines = Vec<String>;

/// A configuration that both daemons take. What is generated stands in place of one of its files.
pub(super) const HA_CF: [&str; 8] = [
    "logfacility local0",
    "keepalive 200ms",
    "warntime 1",
    "deadtime 2",
    "initdead 10",
    "bcast eth0",
    "auto_failback on",
    "node lb1 lb2",
];
pub(super) const HARESOURCES: [&str; 1] = ["lb1 10.77.0.100"];
pub(super) const AUTHKEYS: [&str; 2] = ["auth 1", "1 sha1 a-key-of-the-lab"];

const TIMES: &[&str] = &[
    "1", "0", "2", "10", "30", "-1", "+1", "1.5", ".5", "1.", ".", "..", "1.2.3", "500ms",
    "500 ms", "2s", "1m", "abc", "1e3", "0x10", "499us", "1MS", "1msec", "1usecs", "1u", "1 2",
    "3,4", "1,", "99999999", "5000ms", "0ms", "2ms3", "\"1\"", "",
];
const FLAGS: &[&str] = &[
    "on", "off", "yes", "no", "true", "FALSE", "Y", "n", "1", "0", "2", "maybe", "on off",
    "off,on", "legacy", "'on'", "",
];
const NUMBERS: &[&str] = &[
    "0", "1", "2", "10", "99", "100", "255", "256", "694", "65535", "65536", "-1", "+5", "007",
    "0x10", "12abc", "abc", "1.5", "1 2", "9,8", "",
];
const WORDS: &[&str] = &[
    "none",
    "other",
    "any",
    "NONE",
    "file",
    "nodename",
    "time",
    "zlib",
    "bz2",
    "classic",
    "netstring",
    "local0",
    "LOCAL0",
    "daemon",
    "user",
    "authpriv",
    "nonsense",
    "none none",
    "file,",
    "\"file\"",
    "",
];
const PATHS: &[&str] = &[
    "/var/log/ha-x",
    "/dev/null",
    "ha-x",
    "\"/var/log/ha-x\"",
    "/a /b",
    "",
];

/// A directive, and what may follow it.
const DIRECTIVES: &[(&str, &[&str])] = &[
    ("keepalive", TIMES),
    ("deadtime", TIMES),
    ("warntime", TIMES),
    ("initdead", TIMES),
    ("deadping", TIMES),
    ("conn_logd_time", TIMES),
    ("auto_failback", FLAGS),
    ("nice_failback", FLAGS),
    ("use_logd", &["off", "no", "0", "maybe", "2", ""]),
    ("syslogmsgfmt", FLAGS),
    ("log_badpack", FLAGS),
    ("coredumps", FLAGS),
    ("realtime", FLAGS),
    ("traditional_compression", FLAGS),
    ("use_apphbd", &["off", "no", "maybe", ""]),
    ("record_config_changes", FLAGS),
    ("record_pengine_inputs", FLAGS),
    ("enable_config_writes", FLAGS),
    ("hopfudge", NUMBERS),
    ("max_rexmit_delay", NUMBERS),
    ("debug", &["0", "1", "255", "256", "-1", "abc", ""]),
    ("rtprio", NUMBERS),
    ("udpport", NUMBERS),
    ("memreserve", &["1", "0", "-5", "abc", "6500", ""]),
    ("compression_threshold", NUMBERS),
    (
        "baud",
        &[
            "9600",
            "19200",
            "19201",
            "460800",
            "0",
            "abc",
            "9600 19200",
            "",
        ],
    ),
    ("autojoin", WORDS),
    ("uuidfrom", WORDS),
    ("hbgenmethod", WORDS),
    ("compression", WORDS),
    ("msgfmt", WORDS),
    ("logfacility", WORDS),
    ("cluster", &["web", "a b", "", "\"web\""]),
    ("quorum_server", &["q.example", ""]),
    ("logfile", PATHS),
    ("debugfile", PATHS),
    ("coreroot", PATHS),
    ("watchdog", &["/dev/watchdog", ""]),
    ("crm_daemon_dir", PATHS),
    ("crmd_spawns_pengine", FLAGS),
    ("pacemaker", &["off", "no", "0", "false", "maybe", "2", ""]),
    ("crm", &["off", "no", "0", "false", "maybe", ""]),
    (
        "node",
        &[
            "lb1",
            "lb2",
            "LB1",
            "lb3 lb4",
            "lb3,lb4",
            "lb1 lb1",
            "n=1",
            "\"lb1\"",
            "lb1.example.com",
            "",
        ],
    ),
    (
        "bcast",
        &["eth0", "eth1", "eth0 eth1", "eth0,eth1", "eth0 eth0", ""],
    ),
    ("udp", &["eth0", ""]),
    (
        "ucast",
        &[
            "eth0 10.77.0.2",
            "eth0 10.77.0.1",
            "eth0",
            "eth0 10.77.0.2 more",
            "eth0,10.77.0.2",
            "eth0 10.77.0.300",
            "eth0\t10.77.0.2",
            "",
        ],
    ),
    (
        "mcast",
        &[
            "eth0 225.0.0.1 694 1 0",
            "eth0 225.0.0.1 694 5 0",
            "eth0 225.0.0.1 694 1 2",
            "eth0 10.0.0.1 694 1 0",
            "eth0 225.0.0.1 0 1 0",
            "eth0 225.0.0.1 694 1",
            "eth0 225.0.0.1 694 1 0 more",
            "eth0 225.0.0.1 70000 1 0",
            "eth0 225.0.0.1 abc 1 0",
            "eth0,225.0.0.1,694,1,0",
            "eth0",
            "",
        ],
    ),
    (
        "ping",
        &["10.77.0.2", "10.77.0.2 10.77.0.3", "10.77.0.2,", ""],
    ),
    (
        "ping_group",
        &["g 10.77.0.2", "g 10.77.0.2 10.77.0.3", "g", ""],
    ),
    ("serial", &["/dev/null", "null", ""]),
    (
        "apiauth",
        &[
            "x uid=root",
            "x gid=root",
            "x uid=root gid=root",
            "x",
            "x root",
            "x uid=",
            "x uid=root,root",
            "x pid=1",
            "x uid=root more",
            "",
        ],
    ),
    (
        "respawn",
        &[
            "root /bin/true",
            "root /bin/true -v",
            "root true",
            "root",
            "root /no/such/program",
            "",
        ],
    ),
    (
        "env",
        &["A=b", "A=b C=d", "A", "=b", "A=", "A=b=c", "A=\"b c\"", ""],
    ),
    ("stonith_host", &["other meatware x", "lb2", ""]),
];

/// What no daemon knows, or only another one.
const STRANGERS: &[&str] = &[
    "hbaping",
    "tipc",
    "openais",
    "rds",
    "normalpoll",
    "virtual",
    "Node",
    "KEEPALIVE",
    "keep_alive",
    "nodes",
    "keepalive:",
    "node=lb1",
    "-",
    "\\",
    "\u{feff}node",
    "include",
    "builtin",
    "1",
];

/// What may stand at the end of a line.
const ENDS: &[&str] = &[
    " # comment",
    "#glued",
    " ",
    "\t",
    "\r",
    " \r",
    "\r# x",
    " \\",
    ",",
    " ,",
    "\u{c}",
    " ;x",
];
const STARTS: &[&str] = &[" ", "\t", "  \t", "\u{c}", ",", "\u{a0}"];
const WHOLE: &[&str] = &[
    "",
    " ",
    "\t",
    "#",
    "# comment",
    "  # node lb9",
    "\r",
    "#\\",
    ";",
    "\u{c}",
];

pub(super) fn pick<'a, T: ?Sized>(random: &mut Random, all: &[&'a T]) -> &'a T {
    all[random.below(all.len())]
}

fn one_in(random: &mut Random, n: usize) -> bool {
    random.below(n) == 0
}

/// The next file of that kind.
pub(super) fn file(random: &mut Random, kind: File) -> Lines {
    match kind {
        File::HaCf => ha_cf(random),
        File::Haresources => haresources(random),
        File::Authkeys => authkeys(random),
    }
}

/// The good file with a few lines added, replaced, repeated, removed or moved.
fn ha_cf(random: &mut Random) -> Lines {
    let mut lines: Lines = HA_CF.iter().map(|line| (*line).to_owned()).collect();
    for _ in 0..=random.below(3) {
        let at = random.below(lines.len() + 1);
        match random.below(12) {
            0 if at < lines.len() => drop(lines.remove(at)),
            1 if at < lines.len() => lines.insert(at, lines[at].clone()),
            2 if at < lines.len() => lines.rotate_left(at),
            3 if at < lines.len() => lines[at] = quirk(random, &lines[at].clone()),
            4 => lines.insert(at, pick(random, WHOLE).to_owned()),
            5 => {
                let stranger = pick(random, STRANGERS);
                let value = pick(random, TIMES);
                lines.insert(at, format!("{stranger} {value}"));
            }
            _ => {
                let line = directive(random);
                lines.insert(at, line);
            }
        }
    }
    lines
}

fn directive(random: &mut Random) -> String {
    let (name, values) = DIRECTIVES[random.below(DIRECTIVES.len())];
    let value = pick(random, values);
    let gap = pick(random, &[" ", " ", " ", "\t", "  ", ",", ""]);
    let line = format!("{name}{gap}{value}");
    if one_in(random, 4) {
        quirk(random, &line)
    } else {
        line
    }
}

/// The same line as somebody else would have typed it.
fn quirk(random: &mut Random, line: &str) -> String {
    match random.below(4) {
        0 => format!("{}{line}", pick(random, STARTS)),
        1 => line.replacen(' ', pick(random, &["  ", "\t", ",", " , ", "=", ""]), 1),
        _ => format!("{line}{}", pick(random, ENDS)),
    }
}

const INDICES: &[&str] = &[
    "1", "1", "1", "2", "3", "0", "15", "16", "-1", "01", "+1", "1x", "x1", "1,", "\"1\"", "1.0",
    "",
];
const METHODS: &[&str] = &[
    "sha1", "sha1", "md5", "crc", "SHA1", "sha9", "sha", "sha1,", "sha1:x", "\"sha1\"", "auth", "",
];
const KEYS: &[&str] = &[
    "a-key-of-the-lab",
    "two words",
    "k # comment",
    "#x",
    "# comment",
    "#",
    "\"quoted\"",
    "x\ty",
    "",
    "long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-key",
];
const AUTHS: &[&str] = &[
    "auth 1",
    "auth 1",
    "auth 1",
    "auth 2",
    "auth1",
    "auth  1",
    "auth\t1",
    " auth 1",
    "AUTH 1",
    "auth",
    "auth x",
    "auth 16",
    "auth -1",
    "auth 1 2",
    "auth 1x",
    "auth 01",
    "auth +1",
    "auth 1 # x",
    "auth=1",
    "a 1",
    "ant",
    "author 1",
    "auth #1",
    "auth 1\r",
    "auth, 1",
];
const AUTH_WHOLE: &[&str] = &[
    "", "#", "# auth 3", "  # x", "\t", "\r", "key", "1", "; x", "\u{c}",
];

fn authkeys(random: &mut Random) -> Lines {
    let mut lines: Lines = AUTHKEYS.iter().map(|line| (*line).to_owned()).collect();
    for _ in 0..=random.below(3) {
        let at = random.below(lines.len() + 1);
        match random.below(8) {
            0 if at < lines.len() => drop(lines.remove(at)),
            1 => lines.reverse(),
            2 => lines.insert(at, pick(random, AUTHS).to_owned()),
            3 if at < lines.len() => pick(random, AUTHS).clone_into(&mut lines[at]),
            4 => lines.insert(at, pick(random, AUTH_WHOLE).to_owned()),
            5 if at < lines.len() => {
                let end = pick(random, &[" ", "\r", " # x", "#x", "\t", "\u{c}"]);
                lines[at].push_str(end);
            }
            _ => {
                let gap = pick(random, &[" ", " ", "\t", "  ", ","]);
                let (index, method) = (pick(random, INDICES), pick(random, METHODS));
                let start = pick(random, &["", "", "", " ", "\t"]);
                let key = pick(random, KEYS);
                lines.insert(at, format!("{start}{index}{gap}{method} {key}"));
            }
        }
    }
    lines
}

const NODES: &[&str] = &[
    "lb1", "lb1", "lb1", "lb2", "LB2", "Lb1", "lb3", "lb1,", "\"lb1\"", "lb", "lb11", "lb1:",
    "#lb1",
];
const SCRIPTS: &[&str] = &[
    "web",
    "httpd",
    "mail",
    "Filesystem",
    "ldirectord",
    "drbddisk",
    "a-b",
    "a_b",
    "a.b",
    "Web",
    "a,b",
    "a=b",
    "a+b",
    "a@b",
    "9web",
];
const ARGUMENTS: &[&str] = &[
    "x",
    "/dev/sdb1",
    "/data",
    "ext4",
    "ldirectord.cf",
    "a:b",
    "a,b",
    "a=b",
    "10.0.0.1",
    "eth0",
    "1.2",
    "x::",
    "::x",
    "",
    "-v",
];
const ADDRESSES: &[&str] = &[
    "10.77.0.100",
    "10.77.0.101/24",
    "10.77.0.102/24/eth0",
    "10.77.0.103/24/eth0/10.77.0.255",
    "10.77.0.104//24/eth0",
    "10.77.0.105/255.255.255.0/eth0:0",
    "IPaddr::10.77.0.106",
    "IPaddr2::10.77.0.107/24/eth0",
    "1x.2.3.4",
    "10.77.0",
    "10.77.0.300",
    "IPaddr::",
    "IPaddr",
    "IPaddr::10.77.0.108::24",
    "10.77.0.109/33",
    "1.2.3.4.5",
];
const LINE_ENDS: &[&str] = &[
    "",
    "",
    "",
    " ",
    "\t",
    " # comment",
    "#glued",
    "\r",
    "  ",
    " \\",
    "\\",
    " \\ ",
    " # x \\",
];
const LINE_STARTS: &[&str] = &["", "", "", "", " ", "\t", "  ", "\r", "\u{c}"];
const RESOURCE_WHOLE: &[&str] = &[
    "",
    " ",
    "\t",
    "#",
    "# lb3 web",
    "  # x",
    "# x \\",
    "\\",
    "\r",
    "#\\",
];

fn resource(random: &mut Random) -> String {
    if one_in(random, 3) {
        return pick(random, ADDRESSES).to_owned();
    }
    let mut word = pick(random, SCRIPTS).to_owned();
    for _ in 0..random.below(3) {
        word.push_str(pick(random, &["::", "::", "::", "::", ":", "::::"]));
        word.push_str(pick(random, ARGUMENTS));
    }
    word
}

fn haresources(random: &mut Random) -> Lines {
    let mut lines = Lines::new();
    for _ in 0..=random.below(4) {
        if one_in(random, 5) {
            lines.push(pick(random, RESOURCE_WHOLE).to_owned());
            continue;
        }
        let mut line = pick(random, LINE_STARTS).to_owned();
        line.push_str(pick(random, NODES));
        for _ in 0..random.below(4) {
            line.push_str(pick(
                random,
                &[
                    " ", " ", " ", "\t", "  ", " \t ", " \\\n", " \\\n\t", "\\\n",
                ],
            ));
            line.push_str(&resource(random));
        }
        line.push_str(pick(random, LINE_ENDS));
        lines.extend(line.split('\n').map(str::to_owned));
    }
    lines
}
