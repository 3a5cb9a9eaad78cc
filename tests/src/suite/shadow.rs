//! `ldird shadow` beside the real ldirectord on one kernel: it sees every difference, says who was
//! faster, and touches nothing.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use super::{Case, Place, watch};
use crate::bed::host::Host;
use crate::bed::network::Network;
use crate::bed::peers::Ldirectord;
use crate::bed::real_server::RealServer;
use crate::bed::wait;
use crate::scenario::director::{Configuration, Director};
use crate::scenario::programs::Programs;

pub(super) const CASES: &[Case] = &[Case {
    name: "shadow_beside_ldirectord_says_who_was_faster_and_touches_nothing",
    place: Place::Kernel,
    run: beside_ldirectord,
}];

const VIP: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 100);
const PATH: &str = "/etc/ha.d/ldirectord.cf";
const FILE: &str = "checkinterval=1\nchecktimeout=3\nnegotiatetimeout=3\nquiescent=no\nautoreload=no\n\
                    virtual=10.10.0.100:80\n\treal=10.10.0.21->10.10.0.23:80 gate\n\
                    \tservice=http\n\tchecktype=connect\n\tscheduler=wlc\n";
/// Perl under emulation needs its time.
const LIMIT: Duration = Duration::from_secs(60);
/// Long enough for a director to put a row back.
const TWO_CHECKS: Duration = Duration::from_secs(3);

/// A shadow at work.
struct Shadow {
    host: Arc<Host>,
    child: Child,
}

impl Shadow {
    fn start(host: Arc<Host>) -> Result<Self> {
        let said = File::create(host.folder().join("said"))?;
        let report = host.folder().join("report");
        let child = host
            .command("ldird")?
            .args([PATH, "shadow", "--report"])
            .arg(report)
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()?;
        Ok(Self { host, child })
    }

    fn said(&self) -> String {
        let bytes = fs::read(self.host.folder().join("said")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// In what it says from now on, if `since` is what it has said.
    fn says(&self, since: usize, words: &str) -> Result<()> {
        wait::until(&format!("the shadow says {words}"), LIMIT, || {
            let said = self.said();
            said.get(since..).is_some_and(|new| new.contains(words))
        })
        .with_context(|| format!("it said\n{}", self.said()))?;
        Ok(())
    }

    /// Its report says that the tables are the same.
    fn agrees(&self) -> Result<()> {
        let since = self.said().len();
        wait::until("the tables are the same", LIMIT, || {
            self.host.signal("ldird", Signal::USR1);
            let said = self.said();
            said.get(since..)
                .is_some_and(|new| new.contains("and so does every attribute now"))
        })
        .with_context(|| format!("it said\n{}", self.said()))?;
        Ok(())
    }

    /// Its exit code, after its report.
    fn end(mut self) -> Result<(Option<i32>, String)> {
        self.host.signal("ldird", Signal::TERM);
        let code = self.child.wait()?.code();
        let report = fs::read_to_string(self.host.folder().join("report"))?;
        ensure!(
            self.said().ends_with(&report),
            "the report\n{report}is not the end of what it said\n{}",
            self.said()
        );
        Ok((code, report))
    }
}

fn saved(host: &Host) -> Result<String> {
    host.sh("ipvsadm -Sn")
}

fn beside_ldirectord() -> Result<()> {
    let network = Network::new()?;
    network.segment("lan")?;
    let addresses = ["10.10.0.21/24", "10.10.0.22/24", "10.10.0.23/24"];
    let farm = network.host("farm").nic("lan", &addresses).power_on()?;
    let farm = RealServer::start(Arc::new(farm))?;
    let host = network.host("lb1").nic("lan", &["10.10.0.1/24"]);
    let host = Arc::new(host.power_on()?);
    let programs = Programs::find()?;
    let director = Director::install(Arc::clone(&host), &programs, &Configuration::Samples, VIP)?;
    fs::write(host.folder().join("etc/ldirectord.cf"), FILE)?;

    let old = Ldirectord::new(Arc::clone(&host), PATH);
    let shadow = Shadow::start(Arc::clone(&host))?;
    shadow.says(0, "The kernel has none of the file's services")?;
    ensure!(saved(&host)?.is_empty(), "it made {}", saved(&host)?);
    old.start()?;
    wait::until("ldirectord's table", LIMIT, || {
        saved(&host).is_ok_and(|saved| saved.matches("-a ").count() == addresses.len())
    })?;
    shadow.says(0, "The kernel has services of the file: they are compared")?;

    shadow.agrees()?;

    // A server dies: whoever is first, the other follows, and it is said how much later.
    let died = "10.10.0.22";
    let since = shadow.said().len();
    farm.host()
        .run(&["ip", "address", "del", "10.10.0.22/24", "dev", "eth0"])?;
    shadow.says(since, &format!("DIFFERS tcp:{VIP}:80 {died}:80: "))?;
    shadow.says(since, &format!("SAME tcp:{VIP}:80 {died}:80: "))?;
    ensure!(
        !saved(&host)?.contains(died),
        "it is still in {}",
        saved(&host)?
    );

    // A director would put it back within a second; this one only says so.
    host.sh("ipvsadm -d -t 10.10.0.100:80 -r 10.10.0.23:80")?;
    let gone = format!("DIFFERS tcp:{VIP}:80 10.10.0.23:80: the other moved first");
    shadow.says(since, &gone)?;
    watch::throughout(TWO_CHECKS, || {
        let now = saved(&host)?;
        ensure!(!now.contains("10.10.0.23"), "somebody put it back: {now}");
        Ok(())
    })?;
    host.sh("ipvsadm -a -t 10.10.0.100:80 -r 10.10.0.23:80 -g -w 1")?;
    shadow.says(
        since,
        &format!("SAME tcp:{VIP}:80 10.10.0.23:80: the other alone had changed"),
    )?;

    let before = saved(&host)?;
    let (code, report) = shadow.end()?;
    ensure!(code == Some(0), "it ended with {code:?}:\n{report}");
    for words in [
        "Shadow of /etc/ha.d/ldirectord.cf\n",
        "took a server out ",
        "changed, and back, alone       0x ",
        "They have differed, the longest first\n",
    ] {
        ensure!(report.contains(words), "no \"{words}\" in\n{report}");
    }
    ensure!(saved(&host)? == before, "its end made {}", saved(&host)?);
    old.stop()?;
    drop(director);
    Ok(())
}
