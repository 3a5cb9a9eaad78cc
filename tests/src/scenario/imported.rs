//! Scenario `keepalived`: the direct-routing pair of a keepalived.conf, in the files that
//! `ldird import` makes of it.
//!
//! ```text
//!          client .50      lb1 .1   lb2 .2      web1 .11  web2 .12
//!             └───────────────┴────────┴───────────┴─────────┘   10.10.0.0/24
//!                        VIP .100 on the active director; on lo of each web
//! ```

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use super::director::{Configuration, Director};
use super::programs::Programs;
use super::site::Site;
use crate::bed::network::Network;
use crate::bed::real_server::RealServer;
use crate::bed::{modules, repository};

pub const VIP: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 100);
pub const PRIMARY: &str = "lb1";
pub const BACKUP: &str = "lb2";

/// The keepalived.conf of lb1.
pub fn keepalived_conf() -> PathBuf {
    repository().join("ldird/tests/import/simple-dr.conf")
}

/// What the import writes, and a key.
fn import(programs: &Programs) -> Result<Configuration> {
    let folder = tempfile::tempdir()?;
    let output = Command::new(programs.path("ldird"))
        .args(["import", "--node", PRIMARY, "--peer", BACKUP, "--to"])
        .arg(folder.path())
        .arg(keepalived_conf())
        .output()
        .context("cannot run ldird")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the import failed: {said}");
    let mut files = vec![("authkeys", "auth 1\n1 sha1 a-key-of-the-lab\n".to_owned())];
    for name in ["ha.cf", "haresources", "ldirectord.cf"] {
        let text = fs::read_to_string(folder.path().join(name));
        files.push((
            name,
            text.with_context(|| format!("no {name} was written"))?,
        ));
    }
    Ok(Configuration::Files(files))
}

/// Builds everything and starts hbd on both directors, without waiting for them.
pub fn start(programs: &Programs) -> Result<Site> {
    modules::load("ip_vs")?;
    let network = Network::new()?;
    network.segment("lan")?;
    let files = import(programs)?;
    let host = |name: &str, last: u8| {
        let address = format!("10.10.0.{last}/24");
        network
            .host(name)
            .nic("lan", &[&address])
            .power_on()
            .map(Arc::new)
    };
    let real = |name: &str, last: u8| {
        let real = RealServer::start(host(name, last)?)?;
        real.join_direct_routing(VIP)?;
        anyhow::Ok(real)
    };
    let director = |name: &str, last: u8| {
        let director = Director::install(host(name, last)?, programs, &files, VIP)?;
        anyhow::Ok(director.resident())
    };
    let site = Site {
        directors: vec![director(PRIMARY, 1)?, director(BACKUP, 2)?],
        reals: vec![real("web1", 11)?, real("web2", 12)?],
        client: host("client", 50)?,
        vip: VIP,
    };
    for director in &site.directors {
        director.start()?;
    }
    Ok(site)
}
