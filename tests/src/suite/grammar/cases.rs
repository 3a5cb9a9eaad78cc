//! ldirectord.cf as people write it, and as they mistype it: a grammar with its quirks, from a seed.

use crate::suite::random::Random;

/// Values that are right, and values that somebody will write one day.
type Values = (&'static [&'static str], &'static [&'static str]);

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
const FALLBACK6: Values = (
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

const GLOBAL: &[(&str, Values)] = &[
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

const SECTION: &[(&str, Values)] = &[
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
const STRANGERS: &[&str] = &[
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

const VIRTUAL: Values = (
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
const VIRTUAL6: Values = (
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

/// One file from a seed.
pub(super) fn file(seed: u64) -> String {
    let mut writer = Writer {
        random: Random::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
        // Most files have one odd thing, so that it is not hidden behind another.
        odd_percent: 4,
        text: String::new(),
    };
    match writer.random.below(10) {
        0..5 => writer.one_line(),
        5..9 => writer.whole(),
        _ => {
            writer.odd_percent = 30;
            writer.whole();
        }
    }
    if writer.chance(3) {
        writer.text = writer.text.replace('\n', "\r\n");
    }
    if writer.chance(2) {
        writer.text.pop();
    }
    writer.text
}

struct Writer {
    random: Random,
    odd_percent: usize,
    text: String,
}

impl Writer {
    fn chance(&mut self, percent: usize) -> bool {
        self.random.below(100) < percent
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.random.below(of.len())]
    }

    fn value(&mut self, (plain, odd): Values) -> &'static str {
        if self.chance(self.odd_percent) {
            self.pick(odd)
        } else {
            self.pick(plain)
        }
    }

    /// A plain file with one directive that is as odd as they come.
    fn one_line(&mut self) {
        let inside = self.chance(60);
        let odd = |writer: &mut Self| {
            writer.odd_percent = 60;
            if writer.chance(35) && inside {
                writer.real(false);
            } else {
                writer.directive(if inside { SECTION } else { GLOBAL }, inside);
            }
            writer.odd_percent = 0;
        };
        self.odd_percent = 0;
        if !inside {
            odd(self);
        }
        if self.chance(15) {
            self.odd_percent = 60;
            self.section_head(VIRTUAL, "virtual");
            self.odd_percent = 0;
        } else {
            let head = self.pick(&[
                "virtual=10.0.0.100:80",
                "virtual = 9",
                "virtual=10.0.0.100:53",
            ]);
            self.line(head);
        }
        self.line("\treal=10.0.0.1:80 gate 2");
        if inside {
            odd(self);
        }
        self.line("\treal=10.0.0.2:80 masq");
    }

    fn whole(&mut self) {
        for _ in 0..self.random.below(4) {
            self.filler();
            self.directive(GLOBAL, false);
        }
        for _ in 0..=self.random.below(3) {
            self.section();
            if self.chance(60) {
                let gap = self.pick(&["", "\n", "# end", "  "]);
                self.line(gap);
            }
            if self.chance(10) {
                self.directive(GLOBAL, false);
            }
        }
    }

    fn section(&mut self) {
        let six = self.chance(15);
        if six {
            self.section_head(VIRTUAL6, "virtual6");
        } else {
            self.section_head(VIRTUAL, "virtual");
        }
        for _ in 0..self.random.below(9) {
            self.filler();
            if self.chance(40) {
                self.real(six);
            } else if six && self.chance(10) {
                let value = self.value(FALLBACK6);
                self.assign("fallback6", value, true);
            } else {
                self.directive(SECTION, true);
            }
        }
    }

    fn section_head(&mut self, values: Values, name: &str) {
        let value = self.value(values);
        self.assign(name, value, false);
    }

    fn filler(&mut self) {
        if self.chance(6) {
            let line = self.pick(&["# note", "\t# note", "    # note", " # note", "#"]);
            self.line(line);
        }
        if self.chance(self.odd_percent / 4) {
            let line = self.pick(&["", "   ", "    ", "      ", "\t", "\t\t"]);
            self.line(line);
        }
    }

    fn directive(&mut self, table: &[(&'static str, Values)], inside: bool) {
        if self.chance(self.odd_percent / 4) {
            let line = self.pick(STRANGERS);
            let indentation = if inside { "\t" } else { "" };
            return self.line(&format!("{indentation}{line}"));
        }
        let (name, values) = self.pick(table);
        let value = self.value(values);
        self.assign(name, value, inside);
    }

    fn assign(&mut self, name: &str, value: &str, inside: bool) {
        let odd = self.odd_percent.min(12);
        let equals = if self.chance(30) {
            self.pick(&[" = ", "= ", " =", "\t=\t", "  =  "])
        } else {
            "="
        };
        let indentation = match (inside, self.chance(odd / 3)) {
            (true, false) => self.pick(&["\t", "\t", "    ", "        ", "\t\t", "  \t"]),
            (true, true) => self.pick(&["", " ", "   ", "  "]),
            (false, false) => "",
            (false, true) => self.pick(&[" ", "    ", "\t"]),
        };
        let tail = if self.chance(odd) {
            self.pick(&[
                " ",
                "\t",
                "   # note",
                "# note",
                " # \"note\"",
                " junk",
                ";",
            ])
        } else {
            ""
        };
        self.line(&format!("{indentation}{name}{equals}{value}{tail}"));
    }

    fn real(&mut self, six: bool) {
        const ADDRESS: Values = (
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
        const ADDRESS6: Values = (
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
        const PORTS: Values = (
            &[":80", ":8080", "", ":http", ":443"],
            &[
                ":0", ":65536", ":nosuch", ": 80", ":", ":80:81", ":00080", ":HTTP",
            ],
        );
        const METHODS: Values = (
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
        const WEIGHTS: Values = (
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
        const REQUESTS: Values = (
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
        const LIMITS: Values = (
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
        let address = self.value(if six { ADDRESS6 } else { ADDRESS });
        let parts = [PORTS, METHODS, WEIGHTS, REQUESTS, LIMITS].map(|values| self.value(values));
        let name = match (six, self.chance(self.odd_percent / 8)) {
            (true, false) | (false, true) => "real6",
            (true, true) | (false, false) => "real",
        };
        self.assign(name, &format!("{address}{}", parts.concat()), true);
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }
}
