//! ldird's checks of name servers, databases, directories, RADIUS and SIP against real servers of Debian's
//! packages, in namespaces, over both address families: the right question is up, a wrong one is down, and so
//! is a server that was stopped.

/// A certificate that no check looks at.
macro_rules! certificate {
    () => {
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=lab \
         -keyout /srv/key.pem -out /srv/cert.pem 2>/dev/null\n"
    };
}

mod databases;
mod servers;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{Case, Place};
use crate::bed::daemon::Daemon;
use crate::bed::host::Host;
use crate::bed::network::Network;
use crate::bed::wait;
use crate::scenario::programs::Programs;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "verdicts_on_a_real_unbound_are_right",
        place: Place::Here,
        run: || run(&servers::UNBOUND),
    },
    Case {
        name: "verdicts_on_a_real_mariadb_are_right",
        place: Place::Here,
        run: || run(&databases::MARIADB),
    },
    Case {
        name: "verdicts_on_a_real_mariadb_that_wants_tls_are_right",
        place: Place::Here,
        run: || run(&databases::MARIADB_WITH_TLS_ALONE),
    },
    Case {
        name: "a_real_mariadb_with_old_tls_alone_says_what_it_wants",
        place: Place::Here,
        run: || run(&databases::MARIADB_WITH_OLD_TLS),
    },
    Case {
        name: "a_real_postgresql_with_old_tls_alone_is_up_and_says_what_it_wants",
        place: Place::Here,
        run: || run(&databases::POSTGRESQL_WITH_OLD_TLS),
    },
    Case {
        name: "verdicts_on_a_real_postgresql_are_right",
        place: Place::Here,
        run: || run(&databases::POSTGRESQL),
    },
    Case {
        name: "verdicts_on_a_real_slapd_are_right",
        place: Place::Here,
        run: || run(&servers::SLAPD),
    },
    Case {
        name: "verdicts_on_a_real_freeradius_are_right",
        place: Place::Here,
        run: || run(&servers::FREERADIUS),
    },
    Case {
        name: "verdicts_on_a_real_kamailio_are_right",
        place: Place::Here,
        run: || run(&servers::KAMAILIO),
    },
    Case {
        name: "verdicts_on_a_real_host_by_echo_are_right",
        place: Place::Here,
        run: echo,
    },
];

/// From the start of a server to its first good answer; databases write their files first.
const START_LIMIT: Duration = Duration::from_secs(60);
/// The real server's addresses.
const V4: &str = "10.0.0.11";
const V6: &str = "[fd00::11]";

/// A server, and what to ask of it.
struct Server {
    /// As the kernel calls its processes.
    process: &'static str,
    /// Run on the host before the start: makes the files in `/srv`.
    prepare: &'static str,
    /// Shell that becomes the server.
    start: &'static str,
    rows: &'static [Row],
}

/// One question and its verdict.
struct Row {
    what: &'static str,
    port: u16,
    /// The section's lines.
    lines: &'static [&'static str],
    up: bool,
    /// Part of the message.
    says: &'static str,
}

const fn up(what: &'static str, port: u16, lines: &'static [&'static str]) -> Row {
    up_saying(what, port, lines, "")
}

const fn up_saying(
    what: &'static str,
    port: u16,
    lines: &'static [&'static str],
    says: &'static str,
) -> Row {
    Row {
        what,
        port,
        lines,
        up: true,
        says,
    }
}

const fn down(
    what: &'static str,
    port: u16,
    lines: &'static [&'static str],
    says: &'static str,
) -> Row {
    Row {
        what,
        port,
        lines,
        up: false,
        says,
    }
}

/// A director and the host of the servers.
struct Bench {
    director: Arc<Host>,
    real: Arc<Host>,
    ldird: PathBuf,
}

fn run(server: &Server) -> Result<()> {
    let bench = Bench::new()?;
    bench.real.sh(server.prepare)?;
    let argv = ["sh", "-ec", server.start];
    let mut daemon = Daemon::start(&bench.real, server.process, &argv)?;
    bench
        .await_answer(server)
        .with_context(|| format!("{} said:\n{}", server.process, daemon.last_words()))?;
    let verdicts = bench.verdicts(server.rows)?;
    let mut wrong = String::new();
    for ((family, row), said) in both_families(server.rows).zip(&verdicts) {
        let word = if row.up { "up" } else { "down" };
        if !said.starts_with(word) || !said.contains(row.says) {
            let _ = writeln!(wrong, "{family} {}: {said}, not {word}", row.what);
        }
    }
    ensure!(wrong.is_empty(), "{wrong}{}", daemon.last_words());
    daemon.stop()?;
    let verdicts = bench.verdicts(server.rows)?;
    let refused = |said: &String| said.starts_with("down") && said.contains("connection refused");
    ensure!(
        verdicts.iter().all(refused),
        "stopped, and yet: {verdicts:#?}"
    );
    println!(
        "    {} questions, each before and after a stop",
        verdicts.len()
    );
    Ok(())
}

/// Silence is down after so many requests as the file says, each with its time.
fn echo() -> Result<()> {
    const PING: &[Row] = &[up(
        "an echo",
        80,
        &["checktype=ping", "checkcount=2", "checktimeout=1"],
    )];
    let bench = Bench::new()?;
    let said = bench.verdicts(PING)?;
    ensure!(said.iter().all(|said| said.starts_with("up")), "{said:?}");
    bench.real.sysctl(&[
        ("net.ipv4.icmp_echo_ignore_all", "1"),
        ("net.ipv6.icmp.echo_ignore_all", "1"),
    ])?;
    let start = Instant::now();
    let said = bench.verdicts(PING)?;
    let took = start.elapsed();
    ensure!(said.iter().all(|said| said.starts_with("down")), "{said:?}");
    ensure!(took >= Duration::from_secs(2), "two requests in {took:?}");
    Ok(())
}

impl Bench {
    fn new() -> Result<Self> {
        let network = Network::new()?;
        network.segment("lan")?;
        let host = |name, addresses: &[&str]| network.host(name).nic("lan", addresses).power_on();
        let director = host("lb1", &["10.0.0.1/24", "fd00::1/64"])?;
        let real = host("real1", &["10.0.0.11/24", "fd00::11/64"])?;
        // At once, not after a second of looking for others who have the address.
        for (host, address) in [(&director, "fd00::1/64"), (&real, "fd00::11/64")] {
            host.run(&["ip", "address", "delete", address, "dev", "eth0"])?;
            host.run(&["ip", "address", "add", address, "dev", "eth0", "nodad"])?;
            fs::create_dir_all(host.folder().join("srv"))?;
        }
        Ok(Self {
            director: Arc::new(director),
            real: Arc::new(real),
            ldird: Programs::find()?.path("ldird"),
        })
    }

    fn await_answer(&self, server: &Server) -> Result<()> {
        let good = server.rows.iter().find(|row| row.up);
        let good = std::slice::from_ref(good.context("nothing is up")?);
        let what = format!("{} answers", server.process);
        wait::for_some(&what, START_LIMIT, || {
            let verdicts = self.verdicts(good)?;
            let up = verdicts.iter().all(|said| said.starts_with("up"));
            Ok(up.then_some(()))
        })
    }

    /// What ldird says of each row, over IPv4 and then over IPv6.
    fn verdicts(&self, rows: &[Row]) -> Result<Vec<String>> {
        let mut text = "checktimeout=5\nnegotiatetimeout=5\n".to_owned();
        for (number, (family, row)) in both_families(rows).enumerate() {
            let number = 1000 + number;
            let port = row.port;
            let _ = match family {
                Family::V4 => write!(
                    text,
                    "virtual=10.0.0.100:{number}\n\treal={V4}:{port} masq\n"
                ),
                Family::V6 => write!(
                    text,
                    "virtual6=[fd00::100]:{number}\n\treal6={V6}:{port} masq\n"
                ),
            };
            for line in row.lines {
                let _ = writeln!(text, "\t{line}");
            }
        }
        fs::write(self.director.folder().join("srv/x.cf"), text)?;
        let mut command = self.director.command(&self.ldird)?;
        let output = command
            .args(["/srv/x.cf", "plan"])
            .stdin(Stdio::null())
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        let complained = String::from_utf8_lossy(&output.stderr);
        let verdicts: Vec<String> = said
            .lines()
            .filter(|line| line.starts_with("tcp:") || line.starts_with("udp:"))
            .filter_map(|line| Some(line.split_once(": ")?.1.to_owned()))
            .collect();
        let expected = both_families(rows).count();
        ensure!(verdicts.len() == expected, "ldird plan: {said}{complained}");
        Ok(verdicts)
    }
}

#[derive(Debug, Clone, Copy)]
enum Family {
    V4,
    V6,
}

impl std::fmt::Display for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

fn both_families(rows: &[Row]) -> impl Iterator<Item = (Family, &Row)> {
    let all = [Family::V4, Family::V6].into_iter();
    all.flat_map(|family| rows.iter().map(move |row| (family, row)))
}
