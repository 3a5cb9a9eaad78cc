//! ldird beside the real ldirectord 4.12: the same file, the same servers, the same table.

use std::fs;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Case, Place};
use crate::bed::host::Host;
use crate::bed::network::Network;
use crate::bed::peers::Ldirectord;
use crate::bed::real_server::{RealServer, Service};
use crate::bed::{repository, wait};
use crate::scenario::director::{Configuration, Director};
use crate::scenario::programs::Programs;

pub(super) const CASES: &[Case] = &[Case {
    name: "ldird_and_ldirectord_leave_the_same_table",
    place: Place::Kernel,
    run: same_table,
}];

const VIP: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 100);
const CONFIGURATION: &str = "/etc/ha.d/ldirectord.cf";
const REALS: [(&str, &str); 3] = [
    ("web1", "10.10.0.11"),
    ("web2", "10.10.0.12"),
    ("web3", "10.10.0.13"),
];
const FALLBACK: &str = "127.0.0.1:80";
/// Perl under emulation needs its time to start, and to check.
const LIMIT: Duration = Duration::from_secs(60);

/// Both directors on hosts of their own, with the same real servers in reach.
struct SideBySide {
    old_host: Arc<Host>,
    old: Ldirectord,
    new: Director,
    reals: Vec<RealServer>,
}

impl SideBySide {
    /// Starts both from the sample file, on empty tables.
    fn start() -> Result<Self> {
        let network = Network::new()?;
        network.segment("lan")?;
        let network = &network;
        let host = |name: &str, address: &str| {
            let address = format!("{address}/24");
            Ok::<_, anyhow::Error>(Arc::new(
                network.host(name).nic("lan", &[&address]).power_on()?,
            ))
        };
        // All at once: their start is most of the time that building takes.
        let reals = thread::scope(|scope| {
            let starting = REALS.map(|(name, address)| {
                scope.spawn(move || RealServer::start(host(name, address)?))
            });
            let started = starting.into_iter().map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            started.collect::<Result<Vec<_>>>()
        })?;
        let old_host = host("old", "10.10.0.1")?;
        let sample = repository().join("ha.d/ldirectord.cf");
        fs::copy(sample, old_host.folder().join("etc/ldirectord.cf"))?;
        let old = Ldirectord::new(Arc::clone(&old_host), CONFIGURATION);
        let programs = Programs::find()?;
        let new = Director::install(
            host("new", "10.10.0.2")?,
            &programs,
            &Configuration::Samples,
            VIP,
        )?;
        old.start()?;
        new.program("ldird", &[CONFIGURATION, "start"])?;
        Ok(Self {
            old_host,
            old,
            new,
            reals,
        })
    }

    /// Waits until both tables hold exactly these real servers and are equal in every word.
    fn agree(&self, web: &[&str], ftp: &[&str]) -> Result<()> {
        let wanted = destinations(web, ftp);
        let mut tables = [Vec::new(), Vec::new()];
        wait::for_some(&format!("web {web:?}, ftp {ftp:?}"), LIMIT, || {
            tables = [saved(&self.old_host)?, saved(self.new.host())?];
            let reached = tables.iter().all(|table| destinations_of(table) == wanted);
            Ok((reached && tables[0] == tables[1]).then_some(()))
        })
        .with_context(|| {
            format!(
                "ldirectord left\n{:#?}\nldird left\n{:#?}",
                tables[0], tables[1]
            )
        })
    }

    /// All three, as far as they do not run.
    fn start_reals(&self) -> Result<()> {
        thread::scope(|scope| {
            let starting: Vec<_> = self
                .reals
                .iter()
                .map(|real| {
                    scope.spawn(|| {
                        let mut services = Service::ALL.into_iter();
                        services.try_for_each(|service| real.start_and_await(service))
                    })
                })
                .collect();
            let mut started = starting.into_iter().map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            started.try_for_each(|outcome| outcome)
        })
    }

    fn stop_real(&self, number: usize) -> Result<()> {
        let real = self.reals.get(number).context("there are three")?;
        Service::ALL
            .into_iter()
            .try_for_each(|service| real.stop(service))
    }
}

fn same_table() -> Result<()> {
    let [one, two, three] = REALS.map(|(_, address)| address);
    let both = SideBySide::start()?;
    both.agree(&[one, two, three], &[one, two, three])
        .context("up")?;
    both.stop_real(1)?;
    both.agree(&[one, three], &[one, three])
        .context("one real down")?;
    both.stop_real(0)?;
    both.stop_real(2)?;
    both.agree(&[FALLBACK], &[]).context("all down")?;
    both.start_reals()?;
    both.agree(&[one, two, three], &[one, two, three])
        .context("up again")?;
    both.old.stop()?;
    both.new.program("ldird", &[CONFIGURATION, "stop"])?;
    for host in [&*both.old_host, both.new.host()] {
        let left = saved(host)?;
        ensure!(
            left.is_empty(),
            "after the stop {} has {left:?}",
            host.name()
        );
    }
    Ok(())
}

/// `ipvsadm -Sn`, sorted.
fn saved(host: &Host) -> Result<Vec<String>> {
    let text = host.run(&["ipvsadm", "-S", "-n"])?;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    Ok(lines)
}

/// The real servers of a saved table, with their ports.
fn destinations_of(table: &[String]) -> Vec<String> {
    let adds = table.iter().filter(|line| line.starts_with("-a "));
    let mut found: Vec<String> = adds
        .filter_map(|line| {
            let mut words = line.split_whitespace().skip_while(|word| *word != "-r");
            words.nth(1).map(str::to_owned)
        })
        .collect();
    found.sort();
    found
}

fn destinations(web: &[&str], ftp: &[&str]) -> Vec<String> {
    let with_port = |address: &&str, port: u16| {
        if address.contains(':') {
            (*address).to_owned()
        } else {
            format!("{address}:{port}")
        }
    };
    let web = web
        .iter()
        .map(|address| with_port(address, Service::Http.port()));
    let ftp = ftp
        .iter()
        .map(|address| with_port(address, Service::Ftp.port()));
    let mut all: Vec<String> = web.chain(ftp).collect();
    all.sort();
    all
}
