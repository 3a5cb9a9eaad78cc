//! What people write behind a directive: values that are right, and values that somebody will write
//! one day.

/// Those that are right, and those that are odd.
pub(super) type Values = (&'static [&'static str], &'static [&'static str]);

const SWITCH: Values = (
    &["yes", "no"],
    &["Yes", "maybe", "", "\"yes\"", "yes no", "yes,", "1"],
);
const NUMBER: Values = (
    &["1", "3", "5", "10", "30"],
    &[
        "3s",
        "0",
        "00",
        "-1",
        "1.5",
        "x7",
        "",
        "99999999999",
        "\"4\"",
        "5 6",
        "007",
        "=5",
        "five",
    ],
);
const TEXT: Values = (
    &[
        "/bin/true",
        "ops@example.org",
        "a b c",
        "\"quoted\"",
        "/usr/bin/x -a \"b c\"",
    ],
    &[
        "",
        "\"half",
        "half\"",
        "\"\"",
        "a,b",
        "\u{201c}curly\u{201d}",
        "a#b",
        "a \"b\" c",
    ],
);
const QUOTED: Values = (
    &[
        "\"index.html\"",
        "\"/a/b?c=d&e=f\"",
        "\"Test Page\"",
        "\"a\"b\"",
        "\"(a|b)+\"",
    ],
    &[
        "plain",
        "\"half",
        "half\"",
        "\"\"",
        "\" \"",
        "'single'",
        "\u{201c}curly\u{201d}",
        "\"a\" \"b\"",
        "x\"a\"",
        "\"a\"x",
        "\"a#b\"",
        "\"http://10.0.0.9/x\"",
        "\"t\tab\"",
        "\"b\\\"c\"",
        "\"[a\"",
        "\"gr\u{fc}n\"",
    ],
);
const LOG: Values = (
    &["\"/tmp/ldirectord.log\"", "\"local0\"", "\"daemon\""],
    &[
        "/tmp/x.log",
        "local0",
        "\"/nonexistent/x.log\"",
        "\"nosuch\"",
        "\"\"",
        "/tmp/x   # y",
    ],
);
const STATUS: Values = (
    &[
        "all",
        "none",
        "running",
        "starting, stopping",
        "running,reloading",
    ],
    &[
        "up",
        "",
        "none, all",
        "all ,none",
        "running stopping",
        "running,",
        "\"all\"",
    ],
);
const SMTP: Values = (
    &["mail.example.org", "10.0.0.25"],
    &["", "\"mail\"", "mail:25", "[::1]:25", "mail relay", "-"],
);
const FALLBACK: Values = (
    &[
        "127.0.0.1",
        "127.0.0.1:80",
        "127.0.0.1:80 gate",
        "10.0.0.9:8080 masq",
        "10.0.0.9 ipip",
        "localhost:80",
    ],
    &[
        "127.0.0.1:http",
        "127.0.0.1:80 nat",
        "127.0.0.1:80 gate 1",
        "nohost.invalid:80",
        "",
        "127.0.0.1:",
        ":80",
        "127.0.0.1:70000",
        "127.0.0.1:80  gate",
        "127.0.0.1:nosuch",
        "10.0.1:80",
        "a:b:c",
        "127.0.0.1 :80",
        "::1",
    ],
);
pub(super) const FALLBACK6: Values = (
    &["[::1]:80", "[::1]", "[2001:db8::9]:80 masq", "localhost:80"],
    &[
        "::1",
        "[::1",
        "127.0.0.1:80",
        "",
        "[::1]:80 gate x",
        "2001:db8::9:80",
    ],
);
const CHECKTYPE: Values = (
    &[
        "connect",
        "negotiate",
        "ping",
        "on",
        "off",
        "external",
        "external-perl",
        "3",
        "0",
    ],
    &[
        "Connect",
        "\"connect\"",
        "external2",
        "negotiate 3",
        "connect;",
        "",
        "-1",
        "3s",
        "none",
        "tcp",
        "(ping)",
        "connect negotiate",
        "1.5",
        "external-Perl",
    ],
);
const SCHEDULER: Values = (
    &[
        "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "fo", "ovf",
    ],
    &[
        "WLC",
        "Wlc",
        "\"wlc\"",
        "sh-port",
        "",
        "24",
        "wlc,rr",
        "nosuch",
        "w_lc",
        "wlc rr",
        "!",
        "averyveryverylongname",
        "rr2",
        "=rr",
    ],
);
const SCHEDFLAGS: Values = (
    &["sh-port", "flag-1", "flag-1,flag-2", "mh-port"],
    &["", "sh-port,sh-fallback x", "nosuch", ",", "FLAG-1"],
);
const NETMASK: Values = (
    &["255.255.255.255", "255.255.255.0", "255.255.0.0"],
    &[
        "24",
        "255.0.255.0",
        "0.0.0.0",
        "300.1.1.1",
        "255.255.255",
        "",
        "128",
        "\"255.255.255.0\"",
        "0",
    ],
);
const PROTOCOL: Values = (
    &["tcp", "udp", "tcp"],
    &[
        "fwm", "sctp", "TCP", "\"tcp\"", "", "tcp udp", "icmp", "tcp;",
    ],
);
const SERVICE: Values = (
    &[
        "http",
        "https",
        "none",
        "smtp",
        "ftp",
        "dns",
        "imap",
        "pop",
        "nntp",
        "ldap",
        "simpletcp",
        "http_proxy",
        "mysql",
        "sip",
        "submission",
    ],
    &[
        "HTTP",
        "\"http\"",
        "http https",
        "nosuch",
        "",
        "http;",
        "https ",
        "http-proxy",
        "(ftp)",
    ],
);
const METHOD: Values = (
    &["GET", "HEAD", "get", "Head"],
    &["POST", "", "\"GET\"", "GET HEAD", "GET;", "GETS"],
);
const HOSTNAME: Values = (
    &["www.example.org", "\"www.example.org\"", "a.b"],
    &[
        "",
        "\"\"",
        "a b",
        "\"a",
        "a\"b",
        "www.gr\u{fc}n.example",
        "\"a#b\"",
        "\u{201c}a\u{201d}",
        "x:80",
    ],
);
const PORT: Values = (
    &["80", "8080", "1", "65535"],
    &[
        "0", "65536", "http", "", "80a", "\"80\"", "-5", "8 9", "00080",
    ],
);
const MONITOR: Values = (&["/tmp/monitor"], &["/nonexistent/m", "\"/tmp/m m\"", ""]);
const FOLDER: Values = (
    &["/tmp", "/"],
    &["/nonexistent", "", "\"/tmp\"", "/tmp # y"],
);

pub(super) const GLOBAL: &[(&str, Values)] = &[
    ("checktimeout", NUMBER),
    ("negotiatetimeout", NUMBER),
    ("checkinterval", NUMBER),
    ("checkcount", NUMBER),
    ("failurecount", NUMBER),
    ("fallback", FALLBACK),
    ("fallback6", FALLBACK6),
    ("fallbackcommand", TEXT),
    ("autoreload", SWITCH),
    ("callback", QUOTED),
    ("logfile", LOG),
    ("execute", TEXT),
    ("fork", SWITCH),
    ("supervised", SWITCH),
    ("quiescent", SWITCH),
    ("readdquiescent", SWITCH),
    ("emailalert", TEXT),
    ("emailalertfreq", NUMBER),
    ("emailalertstatus", STATUS),
    ("emailalertfrom", TEXT),
    ("cleanstop", SWITCH),
    ("smtp", SMTP),
    ("maintenancedir", FOLDER),
];

pub(super) const SECTION: &[(&str, Values)] = &[
    ("request", QUOTED),
    ("receive", QUOTED),
    ("checktype", CHECKTYPE),
    ("checkcommand", TEXT),
    ("checktimeout", NUMBER),
    ("negotiatetimeout", NUMBER),
    ("checkcount", NUMBER),
    ("failurecount", NUMBER),
    ("checkinterval", NUMBER),
    ("checkport", PORT),
    ("login", QUOTED),
    ("passwd", QUOTED),
    ("database", QUOTED),
    ("secret", QUOTED),
    ("load", QUOTED),
    ("scheduler", SCHEDULER),
    ("persistent", NUMBER),
    ("schedflags", SCHEDFLAGS),
    ("netmask", NETMASK),
    ("protocol", PROTOCOL),
    ("ops", SWITCH),
    ("service", SERVICE),
    ("httpmethod", METHOD),
    ("virtualhost", HOSTNAME),
    ("fallback", FALLBACK),
    ("fallbackcommand", TEXT),
    ("quiescent", SWITCH),
    ("emailalert", TEXT),
    ("emailalertfreq", NUMBER),
    ("emailalertstatus", STATUS),
    ("smtp", SMTP),
    ("cleanstop", SWITCH),
    ("monitorfile", MONITOR),
    ("servicename", TEXT),
    ("comment", TEXT),
];

/// Names that belong nowhere, or elsewhere.
pub(super) const STRANGERS: &[&str] = &[
    "timeout=3",
    "connecttimeout=3",
    "nosuch=1",
    "supervised",
    "Quiescent=yes",
    "scheduler",
    "real",
    "weight=1",
    "include=x.cf",
    "virtualhost",
    "=5",
    "quiescent yes",
    "supervisedx",
    "readdquiescent=no",
    "autoreload=yes",
    "service=http",
    "real=10.0.0.1:80 gate",
    "virtual",
];

pub(super) const VIRTUAL: Values = (
    &[
        "10.0.0.100:80",
        "10.0.0.100:443",
        "10.0.0.101:25",
        "10.0.0.102:53",
        "10.0.0.103:http",
        "10.0.0.104:domain",
        "10.0.0.105:8080",
        "5",
        "77",
        "10.0.0.106:21",
    ],
    &[
        "10.0.0.100",
        "10.0.0.100 :80",
        "[2001:db8::1]:80",
        "nohost.invalid:80",
        "10.0.0.100:nosuch",
        "10.0.0.100:65536",
        ":80",
        "",
        "0",
        "5foo",
        "99999999999",
        "10.0.0.100:80 # web",
        "5 # mark",
        "10.0.0.100:80 extra",
        "localhost:80",
        "10.0.0:80",
        "10.0.0.300:80",
        "10.0.0.100:0",
        "\"10.0.0.100:80\"",
        "010.0.0.1:80",
        "10.0.0.100:80,81",
        "a_b:80",
    ],
);
pub(super) const VIRTUAL6: Values = (
    &["[2001:db8::1]:80", "[2001:DB8:0::2]:http", "7"],
    &[
        "2001:db8::1:80",
        "10.0.0.1:80",
        "[::g]:80",
        "[2001:db8::1]",
        "[::ffff:1.2.3.4]:80",
        "localhost:80",
    ],
);

pub(super) const REAL: Values = (
    &[
        "10.0.0.1",
        "10.0.0.2",
        "192.168.6.3",
        "10.0.0.4->10.0.0.6",
        "localhost",
    ],
    &[
        "10.0.0.1->3",
        "10.0.0.9->10.0.0.1",
        "10.0.0.1 -> 10.0.0.2",
        "nohost.invalid",
        "web_1",
        "@10.0.0.1",
        "10.0.0.300",
        "5060",
        "",
        "[::1]",
        "192.168.6.2:",
        "0.0.0.0",
        "10.0.0.1-10.0.0.3",
        "10.0.0.254->10.0.1.1",
        "224.0.0.1",
    ],
);
pub(super) const REAL6: Values = (
    &["[2001:db8::11]", "[2001:db8::12]", "localhost"],
    &[
        "2001:db8::11",
        "10.0.0.1",
        "[fe80::1]",
        "[::]",
        "[2001:db8::11]->[2001:db8::13]",
        "[z]",
    ],
);
pub(super) const PORTS: Values = (
    &[":80", ":8080", "", ":http", ":443"],
    &[
        ":0", ":65536", ":nosuch", ": 80", ":", ":80:81", ":00080", ":HTTP",
    ],
);
pub(super) const METHODS: Values = (
    &[" gate", " masq", " ipip", "\tgate", "   masq"],
    &[
        "",
        " ",
        " GATE",
        " nat",
        " -gate",
        " \"gate\"",
        " gate,",
        "gate",
        " tunnel",
        " gate;",
    ],
);
pub(super) const WEIGHTS: Values = (
    &["", "", " 1", " 5", " 0", " 100"],
    &[
        " -w 3",
        " weight 3",
        " -1",
        " 3x",
        " 70000",
        " 3000000000",
        " 1 2",
        "5",
        " 007",
        " junk",
        ",5",
    ],
);
pub(super) const REQUESTS: Values = (
    &[
        "",
        "",
        "",
        " \"a.html\", \"ok\"",
        " \"/b\" \"ok\"",
        " \"c\",\"\"",
    ],
    &[
        " \"a\"",
        " \"a\" , \"b\"",
        " \"a\",,\"b\"",
        " a b",
        " \"GET 1\", \"x\"",
        " \"a\", \"b\", \"c\"",
        " \"l:10\" \"u:20\"",
        " \"\",\"\"",
        " \"a\" \"b",
        "\"a\",\"b\"",
        " \u{201c}a\u{201d}, \"b\"",
    ],
);
pub(super) const LIMITS: Values = (
    &["", "", "", " l:10 u:20", " u:20", "\tl:5\tu:5"],
    &[
        " u:20 l:10",
        " l:30 u:20",
        " l:10",
        " l:x",
        " u: 5",
        " L:5",
        " l:1 l:2 u:3",
        "l:5",
    ],
);
