//! The table itself, in the order of the manual.

use crate::config::directive::{Argument, Directive, Field, Support};
use crate::config::parser::Parser;
use crate::config::{grammar, media, pings};
use ha_plumbing::Word;
use ha_plumbing::diagnostic::Weight;
use std::time::Duration;

const fn row(
    name: &'static str,
    argument: Argument,
    default: &'static str,
    support: Support,
    help: &'static str,
) -> Directive {
    Directive {
        name,
        argument,
        default,
        support,
        once: false,
        help,
    }
}

const fn once(mut directive: Directive) -> Directive {
    directive.once = true;
    directive
}

const fn positive(field: Field<Duration>) -> Argument {
    Argument::Time { field, zero: false }
}

const fn time(field: Field<Duration>) -> Argument {
    Argument::Time { field, zero: true }
}

const fn integer(field: Field<i64>, from: i64, to: i64) -> Argument {
    Argument::Integer { field, from, to }
}

const fn choice(field: Field<&'static str>, words: &'static [&'static str]) -> Argument {
    Argument::Choice { field, words }
}

const fn each(usage: &'static str, read: fn(&mut Parser<'_>, Word<'_>)) -> Argument {
    Argument::Each {
        usage,
        read,
        exported: false,
    }
}

const fn exported(usage: &'static str, read: fn(&mut Parser<'_>, Word<'_>)) -> Argument {
    Argument::Each {
        usage,
        read,
        exported: true,
    }
}

const fn line(usage: &'static str, read: fn(&mut Parser<'_>, &[Word<'_>])) -> Argument {
    Argument::Line { usage, read }
}

const HERE: Support = Support::Honoured;
/// Changes who owns an address, or how surely only one node does.
const fn weighty(reason: &'static str) -> Support {
    Support::Ignored(Weight::Ownership, reason)
}

/// No service would notice.
const fn minor(reason: &'static str) -> Support {
    Support::Ignored(Weight::Minor, reason)
}

const NO_FENCING: Support = weighty("silent nodes are not fenced");
const NO_COMPRESSION: Support = minor("messages are not compressed");
const NO_PACEMAKER: Support = minor("there is no Pacemaker to tell");
const NO_CORES: Support = minor("core dumps are the service manager's business");
const NO_LOGD: Support = minor("the logging daemon is not used");

/// In the order of the manual.
pub static DIRECTIVES: &[Directive] = &[
    // The cluster and its times.
    row(
        "node",
        each("NAME…", grammar::node),
        "",
        HERE,
        "names of the nodes, in order of precedence",
    ),
    row(
        "cluster",
        Argument::Text(Some(|d| &mut d.cluster)),
        "linux-ha",
        HERE,
        "name of the cluster, for people",
    ),
    row(
        "keepalive",
        positive(Some(|d| &mut d.keepalive)),
        "1000ms",
        HERE,
        "time between heartbeats",
    ),
    row(
        "deadtime",
        time(Some(|d| &mut d.deadtime)),
        "30000ms",
        HERE,
        "silence after which a node is dead; more than twice keepalive",
    ),
    row(
        "warntime",
        positive(Some(|d| &mut d.warntime)),
        "deadtime/2",
        HERE,
        "a heartbeat later than this is worth a warning",
    ),
    row(
        "initdead",
        time(Some(|d| &mut d.initdead)),
        "by deadtime",
        HERE,
        "deadtime while the cluster starts; at least deadtime",
    ),
    row(
        "auto_failback",
        exported("on|off|legacy", grammar::auto_failback),
        "legacy",
        HERE,
        "whether groups return to their preferred node by themselves",
    ),
    row(
        "hopfudge",
        integer(Some(|d| &mut d.hopfudge), 0, 255),
        "1",
        HERE,
        "part of the hop count of packets",
    ),
    row(
        "max_rexmit_delay",
        integer(Some(|d| &mut d.max_rexmit_delay), 1, 3_600_000),
        "250",
        HERE,
        "longest wait before a lost packet is asked for, milliseconds",
    ),
    row(
        "uuidfrom",
        choice(Some(|d| &mut d.uuidfrom), &["file", "nodename"]),
        "file",
        HERE,
        "where the node's identity comes from",
    ),
    row(
        "hbgenmethod",
        choice(Some(|d| &mut d.hbgenmethod), &["file", "time"]),
        "file",
        HERE,
        "where the generation number of a start comes from",
    ),
    row(
        "autojoin",
        choice(Some(|d| &mut d.autojoin), &["none", "other", "any"]),
        "none",
        HERE,
        "must be none where haresources is used",
    ),
    row(
        "nice_failback",
        Argument::Boolean(None),
        "",
        weighty("it is obsolete; write auto_failback"),
        "obsolete name of a part of auto_failback",
    ),
    row(
        "deadping",
        time(Some(|d| &mut d.deadping)),
        "deadtime",
        HERE,
        "silence after which a ping node is dead",
    ),
    row(
        "quorum_server",
        Argument::Text(None),
        "",
        weighty("no quorum server is asked"),
        "host that decides who has quorum",
    ),
    // Media.
    row(
        "udpport",
        exported("1..65535", media::udpport),
        "694",
        HERE,
        "UDP port of the media after it",
    ),
    row(
        "bcast",
        each("INTERFACE…", media::bcast),
        "",
        HERE,
        "heartbeats as UDP broadcast",
    ),
    row(
        "udp",
        each("INTERFACE…", media::bcast),
        "",
        Support::OldName("bcast"),
        "old name of bcast",
    ),
    row(
        "ucast",
        line("INTERFACE PEER", media::ucast),
        "",
        HERE,
        "heartbeats as UDP to one peer",
    ),
    row(
        "ucast6",
        line("INTERFACE PEER", media::ucast6),
        "",
        HERE,
        "heartbeats as UDP to one IPv6 peer",
    ),
    row(
        "mcast",
        line("INTERFACE GROUP PORT TTL LOOP", media::mcast),
        "",
        HERE,
        "heartbeats as UDP multicast",
    ),
    row(
        "mcast6",
        line("INTERFACE GROUP PORT HOPS LOOP", media::mcast6),
        "",
        HERE,
        "heartbeats as IPv6 multicast",
    ),
    once(row(
        "baud",
        each("RATE", media::baud),
        "19200",
        HERE,
        "speed of the serial ports after it",
    )),
    row(
        "serial",
        each("/dev/TTY…", media::serial),
        "",
        HERE,
        "heartbeats over null-modem cables",
    ),
    row(
        "ping",
        each("HOST…", pings::ping),
        "",
        HERE,
        "hosts whose answers show that the network works",
    ),
    row(
        "ping6",
        each("ADDRESS…", pings::ping6),
        "",
        HERE,
        "the same with IPv6",
    ),
    row(
        "ping_group",
        line("NAME HOST…", pings::ping_group),
        "",
        HERE,
        "several hosts of which one must answer",
    ),
    // Logging.
    row(
        "logfacility",
        Argument::Facility(Some(|d| &mut d.logfacility)),
        "",
        HERE,
        "syslog facility",
    ),
    row(
        "logfile",
        Argument::Text(Some(|d| &mut d.logfile)),
        "",
        HERE,
        "file for everything but debug lines",
    ),
    row(
        "debugfile",
        Argument::Text(Some(|d| &mut d.debugfile)),
        "",
        HERE,
        "file for everything",
    ),
    row(
        "use_logd",
        Argument::Boolean(Some(|d| &mut d.use_logd)),
        "",
        HERE,
        "once the logging daemon; now only whether logging may be left unset",
    ),
    row(
        "syslogmsgfmt",
        Argument::Boolean(Some(|d| &mut d.syslogmsgfmt)),
        "on",
        HERE,
        "log files in the layout of syslog",
    ),
    row(
        "debug",
        integer(Some(|d| &mut d.debug), 0, 255),
        "0",
        HERE,
        "0: no debug lines; 1: some; 2: all",
    ),
    row(
        "log_badpack",
        Argument::Boolean(Some(|d| &mut d.log_badpack)),
        "on",
        HERE,
        "log packets that are malformed or not authentic",
    ),
    row(
        "conn_logd_time",
        positive(None),
        "60",
        NO_LOGD,
        "how often the logging daemon is tried",
    ),
    // The process.
    row(
        "realtime",
        Argument::Boolean(Some(|d| &mut d.realtime)),
        "on",
        HERE,
        "real-time scheduling and locked memory",
    ),
    row(
        "rtprio",
        integer(Some(|d| &mut d.rtprio), 1, 99),
        "lowest",
        HERE,
        "real-time priority",
    ),
    row(
        "memreserve",
        integer(None, 1, i64::MAX),
        "6500",
        HERE,
        "accepted; all memory is locked anyway",
    ),
    row(
        "env",
        each("NAME=VALUE…", grammar::env),
        "",
        HERE,
        "HA_NAME=VALUE for resource scripts",
    ),
    // Ours.
    row(
        "builtin",
        Argument::Boolean(Some(|d| &mut d.builtin)),
        "on",
        Support::Added,
        "IPaddr, IPaddr2 and an ldirectord that runs from boot are done by hbd itself; off: by the scripts",
    ),
    row(
        "start_timeout",
        positive(Some(|d| &mut d.start_timeout)),
        "180",
        Support::Added,
        "longest start of one resource script",
    ),
    row(
        "stop_timeout",
        positive(Some(|d| &mut d.stop_timeout)),
        "180",
        Support::Added,
        "longest stop of one resource script",
    ),
    row(
        "status_timeout",
        positive(Some(|d| &mut d.status_timeout)),
        "30",
        Support::Added,
        "longest status of one resource script",
    ),
    // What this release leaves to others.
    once(row(
        "watchdog",
        Argument::Text(None),
        "",
        weighty("no watchdog device is fed"),
        "device that resets the machine when the daemon hangs",
    )),
    row(
        "stonith",
        line("TYPE FILE", grammar::stonith),
        "",
        NO_FENCING,
        "device that resets silent nodes",
    ),
    row(
        "stonith_host",
        line("HOST|* TYPE PARAMETER…", grammar::stonith_host),
        "",
        NO_FENCING,
        "device that resets silent nodes",
    ),
    row(
        "respawn",
        line("USER PROGRAM ARGUMENT…", grammar::respawn),
        "",
        HERE,
        "program to run and restart; checked, but not started in this release",
    ),
    row(
        "failfast",
        line("USER PROGRAM ARGUMENT…", grammar::respawn),
        "",
        HERE,
        "program whose death reboots the machine; checked, but not started in this release",
    ),
    row(
        "apiauth",
        line("CLIENT [uid=A,B] [gid=C,D]", grammar::apiauth),
        "",
        minor("there is no client API; the status socket is guarded by its file permissions"),
        "who may use the client API",
    ),
    row(
        "compression",
        choice(None, &["zlib", "bz2"]),
        "zlib",
        NO_COMPRESSION,
        "how long messages are compressed",
    ),
    row(
        "compression_threshold",
        integer(None, 1, i64::MAX),
        "2",
        NO_COMPRESSION,
        "messages longer than this are compressed, kB",
    ),
    row(
        "traditional_compression",
        Argument::Boolean(None),
        "no",
        NO_COMPRESSION,
        "compress whole messages",
    ),
    row(
        "msgfmt",
        choice(None, &["classic", "netstring"]),
        "classic",
        minor("it did not decide the format of packets in Heartbeat 3.0.6 either"),
        "format of packets",
    ),
    row(
        "coredumps",
        Argument::Boolean(None),
        "on",
        NO_CORES,
        "dump core on a crash",
    ),
    row(
        "coreroot",
        Argument::Text(None),
        "/var/lib/heartbeat/cores",
        NO_CORES,
        "where cores go",
    ),
    row(
        "use_apphbd",
        Argument::Boolean(None),
        "off",
        minor("there is no application heartbeat daemon"),
        "register with the application heartbeat daemon",
    ),
    once(row(
        "pacemaker",
        exported("off", grammar::pacemaker),
        "off",
        HERE,
        "on: haresources is not used, and hbd runs no groups",
    )),
    once(row(
        "crm",
        exported("off", grammar::crm),
        "off",
        HERE,
        "another name of pacemaker",
    )),
    row(
        "crm_daemon_dir",
        Argument::Text(None),
        "",
        NO_PACEMAKER,
        "where Pacemaker's daemons are",
    ),
    row(
        "crmd_spawns_pengine",
        Argument::Boolean(None),
        "",
        NO_PACEMAKER,
        "who starts the policy engine",
    ),
    row(
        "record_config_changes",
        Argument::Boolean(None),
        "on",
        NO_PACEMAKER,
        "keep old configurations",
    ),
    row(
        "record_pengine_inputs",
        Argument::Boolean(None),
        "on",
        NO_PACEMAKER,
        "keep inputs of the policy engine",
    ),
    row(
        "enable_config_writes",
        Argument::Boolean(None),
        "on",
        NO_PACEMAKER,
        "write configurations to disk",
    ),
];
