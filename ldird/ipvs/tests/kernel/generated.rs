//! Generated tables, and every scheduler: what ipvsadm makes and prints, and what we make and print.

use std::fmt::Write as _;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use ldird_ipvs::text::{self, Columns, Numbers};
use ldird_ipvs::{Cause, Client, Service, ServiceId};

use crate::bed::{in_kernel, ipvsadm, ipvsadm_reads};
use crate::restore;

/// Tables, half of them made by ipvsadm and half by us.
const TABLES: u64 = 12;
/// Services of each table, and at most so many real servers in one.
const SERVICES: u64 = 14;
const REALS: u64 = 6;

/// The kernel's schedulers with the flags that each has a word for.
const SCHEDULERS: &[(&str, &[&str])] = &[
    ("rr", &["flag-1", "flag-2,flag-3"]),
    ("wrr", &[]),
    ("lc", &[]),
    ("wlc", &[]),
    ("fo", &[]),
    ("ovf", &[]),
    ("lblc", &[]),
    ("lblcr", &[]),
    ("dh", &[]),
    ("sh", &["sh-fallback", "sh-port", "sh-fallback,sh-port"]),
    ("mh", &["mh-fallback", "mh-port", "mh-fallback,mh-port"]),
    ("sed", &[]),
    ("nq", &[]),
];

/// Younger than the others: not every distribution builds it.
const TWO_CHOICES: &str = "twos";

/// Our own few lines (splitmix64), so that a seed means the same next year.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[usize::try_from(self.below(words.len() as u64)).unwrap()]
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }
}

/// Lines as `ipvsadm -R` takes them.
fn table(seed: u64) -> String {
    let mut random = Random(seed);
    let mut lines = String::new();
    for number in 1..=SERVICES {
        let v6 = random.one_in(3);
        let port = 1000 * number + random.below(999);
        let (name, udp) = match random.below(5) {
            0 => (format!("-f {number}{}", if v6 { " -6" } else { "" }), true),
            kind => {
                let option =
                    ["-t", "-u", "--sctp-service", "-t"][usize::try_from(kind - 1).unwrap()];
                let address = if v6 {
                    format!("[2001:db8::{:x}]", random.below(0xffff))
                } else {
                    "10.0.0.1".to_owned()
                };
                (format!("{option} {address}:{port}"), option == "-u")
            }
        };
        writeln!(lines, "-A {name}{}", attributes(&mut random, v6, udp)).unwrap();
        for last in 0..random.below(REALS) {
            writeln!(lines, "-a {name} {}", real(&mut random, v6, last, port)).unwrap();
        }
    }
    lines
}

fn attributes(random: &mut Random, v6: bool, udp: bool) -> String {
    let (scheduler, flags) =
        SCHEDULERS[usize::try_from(random.below(SCHEDULERS.len() as u64)).unwrap()];
    let mut words = format!(" -s {scheduler}");
    if !flags.is_empty() && random.one_in(2) {
        write!(words, " -b {}", random.of(flags)).unwrap();
    }
    if random.one_in(2) {
        write!(words, " -p {}", 1 + random.below(2_678_400)).unwrap();
        if random.one_in(2) {
            let v4 = [
                "255.255.255.0",
                "255.255.0.0",
                "255.0.0.0",
                "255.255.255.252",
            ];
            let mask = if v6 {
                random.of(&["64", "1", "128", "48"])
            } else {
                random.of(&v4)
            };
            write!(words, " -M {mask}").unwrap();
        }
        if udp && random.one_in(3) {
            words += " --pe sip";
        }
    }
    if udp && random.one_in(3) {
        words += " -o";
    }
    words
}

fn real(random: &mut Random, v6: bool, last: u64, port: u64) -> String {
    // A tunnel may lead through the other family; nothing else may.
    let tunnel = random.one_in(3);
    let six = v6 != (tunnel && random.one_in(2));
    let host = 2 + last;
    let address = if six {
        format!("[2001:db8:1::{host}]")
    } else {
        format!("10.0.0.{host}")
    };
    let way = if tunnel {
        let options = [
            "-i",
            "-i --tun-type gue --tun-port 6080",
            "-i --tun-type gue --tun-port 65535 --tun-csum",
            "-i --tun-type gue --tun-port 1 --tun-remcsum",
            "-i --tun-type gre",
            "-i --tun-type gre --tun-csum",
        ];
        random.of(&options)
    } else {
        random.of(&["-g", "-m"])
    };
    let port = if way == "-m" && random.one_in(2) {
        8080
    } else {
        port
    };
    let weight = random.of(&["0", "1", "100", "65535", "2147483647"]);
    let limits = random.of(&["", " -x 10", " -x 2000000000 -y 5"]);
    format!("-r {address}:{port} {way} -w {weight}{limits}")
}

/// Every form of listing, ours against ipvsadm's.
async fn compare(client: &mut Client, made: &str) {
    let info = client.info().await.unwrap();
    let table = client.dump().await.unwrap();
    for (options, columns) in [
        ("-Ln", Columns::Normal),
        ("-Ln --thresholds", Columns::Thresholds),
        ("-Ln --persistent-conn", Columns::PersistentConnections),
        ("-Ln --tun-info", Columns::Tunnels),
        ("-Ln --stats", Columns::Stats(Numbers::Units)),
        ("-Ln --stats --exact", Columns::Stats(Numbers::Exact)),
        ("-Ln --rate", Columns::Rate(Numbers::Units)),
        ("-Ln --rate --exact", Columns::Rate(Numbers::Exact)),
    ] {
        let ours = text::list(&info, &table, columns);
        assert_eq!(ours, ipvsadm(options), "{options} of\n{made}");
    }
    let saved = text::save(&table);
    assert_eq!(saved, ipvsadm("-Sn"), "-Sn of\n{made}");
    for status in &table {
        let name = saved_name(&status.service.id);
        let listed = text::list_service(status, Columns::Normal);
        assert_eq!(listed, ipvsadm(&format!("-Ln {name}")), "{name}");
    }
}

fn saved_name(id: &ServiceId) -> String {
    let shown = id.to_string();
    let (protocol, name) = shown.split_once(' ').unwrap();
    match (protocol, name.strip_suffix(" IPv6")) {
        ("FWM", Some(mark)) => format!("-f {mark} -6"),
        ("FWM", None) => format!("-f {name}"),
        ("UDP", _) => format!("-u {name}"),
        ("SCTP", _) => format!("--sctp-service {name}"),
        _ => format!("-t {name}"),
    }
}

#[test]
fn generated_tables_are_made_printed_and_saved_as_ipvsadm_does() {
    in_kernel(async |client| {
        let mut lines = 0;
        for seed in 1..=TABLES {
            client.flush().await.unwrap();
            let made = table(seed);
            lines += made.lines().count();
            if seed % 2 == 0 {
                ipvsadm_reads(&made);
            } else {
                restore(client, &made).await;
            }
            compare(client, &made).await;
            // Each restores what the other saved.
            let saved = ipvsadm("-Sn");
            client.flush().await.unwrap();
            restore(client, &saved).await;
            assert_eq!(ipvsadm("-Sn"), saved);
            let ours = text::save(&client.dump().await.unwrap());
            client.flush().await.unwrap();
            ipvsadm_reads(&ours);
            assert_eq!(ipvsadm("-Sn"), saved);
        }
        println!("{lines} lines of {TABLES} tables");
    });
}

#[test]
fn every_scheduler_of_the_kernel_is_there_with_its_flags() {
    in_kernel(async |client| {
        let mut port = 1000;
        for (scheduler, flags) in SCHEDULERS {
            for flags in [""].iter().chain(flags.iter()) {
                port += 1;
                let flags = if flags.is_empty() {
                    String::new()
                } else {
                    format!(" -b {flags}")
                };
                let made = format!(
                    "-A -t 10.0.0.1:{port} -s {scheduler}{flags}\n\
                     -a -t 10.0.0.1:{port} -r 10.0.0.2:{port} -g -w 1\n"
                );
                restore(client, &made).await;
                assert!(ipvsadm("-Sn").contains(&made), "{made}{}", ipvsadm("-Sn"));
            }
        }
        let service = Service::new(ServiceId::tcp([10, 0, 0, 1], 1000), TWO_CHOICES);
        match client.add_service(&service).await {
            Ok(()) => {}
            Err(error) if error.cause() == Some(Cause::NoSuchScheduler) => {
                println!("this kernel has no {TWO_CHOICES}: {error}");
            }
            Err(error) => panic!("{error}"),
        }
        compare(client, "every scheduler").await;
    });
}

#[test]
fn connections_time_outs_and_daemons_are_printed_as_ipvsadm_prints_them() {
    const LIMIT: Duration = Duration::from_secs(20);
    const CALL: &str = "INVITE sip:bob@10.0.0.1 SIP/2.0\r\nCall-ID: lab@10.0.0.1\r\n\r\n";
    in_kernel(async |client| {
        let made = "-A -u 10.0.0.1:5060 -s rr -p 60 --pe sip\n\
            -a -u 10.0.0.1:5060 -r 10.0.0.1:5061 -m\n\
            -A -u 10.0.0.1:7000 -s rr\n-a -u 10.0.0.1:7000 -r 10.0.0.1:7001 -m\n";
        restore(client, made).await;
        for port in [5060, 7000] {
            let server = UdpSocket::bind(("10.0.0.1", port + 1)).unwrap();
            server.set_read_timeout(Some(LIMIT)).unwrap();
            let visitor = UdpSocket::bind("0.0.0.0:0").unwrap();
            visitor
                .send_to(CALL.as_bytes(), ("10.0.0.1", port))
                .unwrap();
            server.recv_from(&mut [0; 256]).unwrap();
        }
        for (options, engines) in [("-Lnc", false), ("-Lnc --persistent-conn", true)] {
            let begin = Instant::now();
            // Time runs between the two readings: a second may end there, but not every time.
            loop {
                let proc = std::fs::read_to_string("/proc/thread-self/net/ip_vs_conn").unwrap();
                let (ours, theirs) = (text::connections(&proc, engines), ipvsadm(options));
                if ours == theirs {
                    assert!(ours.lines().count() >= 4, "{ours}");
                    assert!(!engines || ours.contains("lab@10.0.0.1"), "{ours}\n{proc}");
                    break;
                }
                assert!(
                    begin.elapsed() < LIMIT,
                    "{options}\n{ours}\n{theirs}\n{proc}"
                );
            }
        }
        let timeouts = client.timeouts().await.unwrap();
        assert_eq!(format!("{timeouts}\n"), ipvsadm("-L --timeout"));
        assert_eq!(ipvsadm("-L --daemon"), "");
    });
}
