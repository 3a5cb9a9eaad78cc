//! The Debian packages that the bed needs.
//!
//! Installs only what is missing, says so, and never lets a freshly installed service start or stay
//! enabled. On a system that it may not change it prints what to install and fails.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::{alone, say};

/// A Debian package and what the bed wants it for.
struct Package {
    name: &'static str,
    purpose: &'static str,
    /// Services that the package would enable; the bed starts its own instances in namespaces.
    services: &'static [&'static str],
}

const fn tool(name: &'static str, purpose: &'static str) -> Package {
    Package {
        name,
        purpose,
        services: &[],
    }
}

/// What an emulated machine needs.
const MACHINE: &[Package] = &[
    tool("qemu-system-x86", "the emulated machine"),
    tool("busybox-static", "the first steps of its boot"),
    tool("kmod", "kernel modules"),
];

/// What the hosts of a demo need.
const HOSTS: &[Package] = &[
    tool("iproute2", "addresses, bridges, tunnels"),
    tool("iputils-ping", "ping"),
    tool("iputils-arping", "arping"),
    tool("procps", "sysctl, ps"),
    tool(
        "net-tools",
        "ifconfig and route, which the old daemons call",
    ),
    tool("tmux", "terminals for dashboard tests"),
    Package {
        name: "ipvsadm",
        purpose: "the kernel's balancing table",
        services: &["ipvsadm"],
    },
    Package {
        name: "nginx-light",
        purpose: "real web servers",
        services: &["nginx"],
    },
    Package {
        name: "vsftpd",
        purpose: "real FTP servers",
        services: &["vsftpd"],
    },
];

/// What tests and measurements need beside: servers of every kind that is checked, and the peers.
const SERVERS_AND_PEERS: &[Package] = &[
    Package {
        name: "dovecot-imapd",
        purpose: "real IMAP servers",
        services: &["dovecot"],
    },
    Package {
        name: "dovecot-pop3d",
        purpose: "real POP servers",
        services: &["dovecot"],
    },
    tool("openssl", "certificates of real servers"),
    Package {
        name: "unbound",
        purpose: "real name servers",
        services: &["unbound"],
    },
    tool("mariadb-server-core", "real MariaDB servers"),
    Package {
        name: "postgresql",
        purpose: "real PostgreSQL servers",
        services: &["postgresql"],
    },
    Package {
        name: "slapd",
        purpose: "real directory servers",
        services: &["slapd"],
    },
    Package {
        name: "freeradius",
        purpose: "real RADIUS servers",
        services: &["freeradius"],
    },
    Package {
        name: "kamailio",
        purpose: "real SIP servers",
        services: &["kamailio"],
    },
    tool("resource-agents", "resource scripts of the old daemons"),
    Package {
        name: "heartbeat",
        purpose: "the old peer",
        services: &["heartbeat"],
    },
    Package {
        name: "ldirectord",
        purpose: "the old director",
        services: &["ldirectord"],
    },
    tool("liblwp-protocol-https-perl", "its checks of HTTPS"),
    tool("libnet-inet6glue-perl", "its checks of HTTP over IPv6"),
    tool("libdbd-mysql-perl", "its checks of MySQL"),
    tool("libdbd-pg-perl", "its checks of PostgreSQL"),
    Package {
        name: "keepalived",
        purpose: "a peer for comparison",
        services: &["keepalived"],
    },
];

/// Makes sure that a demo has what it runs: a newcomer's first look waits for nothing else.
pub fn ensure_demo() -> Result<()> {
    ensure_installed(MACHINE.iter().chain(HOSTS))
}

/// Makes sure that every program of the bed is installed.
pub fn ensure_programs() -> Result<()> {
    ensure_installed(MACHINE.iter().chain(HOSTS).chain(SERVERS_AND_PEERS))
}

fn ensure_installed(wanted: impl Iterator<Item = &'static Package>) -> Result<()> {
    let missing: Vec<&Package> = wanted
        .filter(|package| !is_installed(package.name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    refuse_unless_changeable(&missing)?;
    let _alone = alone()?;
    say("installing Debian packages, their services stay off:");
    for package in &missing {
        say(&format!("  {:<18} {}", package.name, package.purpose));
    }
    let _services_stay_off = ServicesDenied::install()?;
    from_archive(|| {
        let mut install = apt();
        install.args(["install", "--yes", "--no-install-recommends"]);
        run(install.args(missing.iter().map(|package| package.name)))
    })?;
    for service in missing.iter().flat_map(|package| package.services) {
        disable(service);
    }
    for package in &missing {
        ensure!(
            is_installed(package.name),
            "package {} is still not installed",
            package.name
        );
    }
    Ok(())
}

fn is_installed(package: &str) -> bool {
    Command::new("dpkg-query")
        .args(["-W", "-f", "${db:Status-Status}", package])
        .output()
        .is_ok_and(|output| output.stdout == b"installed")
}

pub(super) fn is_debian_like() -> bool {
    Path::new("/usr/bin/apt-get").exists() && Path::new("/usr/bin/dpkg-deb").exists()
}

fn refuse_unless_changeable(missing: &[&Package]) -> Result<()> {
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    let names = names.join(" ");
    if !is_debian_like() {
        bail!(
            "this is not a Debian-like system; install what these Debian packages hold:\n  {names}"
        );
    }
    if !rustix::process::geteuid().is_root() {
        bail!("as root, run:\n  apt-get install --no-install-recommends {names}");
    }
    Ok(())
}

/// Fetches something from the archive. Lists that are older than what the archive holds name files that
/// it has no more (404), and a fresh container has no lists: then they are fetched, and `fetch` is asked once more.
pub(super) fn from_archive<T>(fetch: impl Fn() -> Result<T>) -> Result<T> {
    if have_lists() {
        match fetch() {
            Ok(fetched) => return Ok(fetched),
            Err(error) => say(&format!("{error:#}\nmaybe with lists that are out of date")),
        }
    }
    say("fetching the package lists");
    run(apt().arg("update"))?;
    fetch()
}

fn have_lists() -> bool {
    fs::read_dir("/var/lib/apt/lists").is_ok_and(|entries| {
        entries.filter_map(Result::ok).any(|entry| {
            entry
                .file_name()
                .to_str()
                .is_some_and(|name| name.contains("_Packages"))
        })
    })
}

pub(super) fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").args([
        "-qq",
        "-o",
        "Dpkg::Use-Pty=0",
        "-o",
        "DPkg::Lock::Timeout=300",
    ]);
    command
}

/// Runs a command to its end and shows its output only when it fails.
pub(super) fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let arguments: Vec<&OsStr> = command.get_args().collect();
    let arguments = arguments
        .join(OsStr::new(" "))
        .to_string_lossy()
        .into_owned();
    let output = command
        .output()
        .with_context(|| format!("cannot run {name}"))?;
    ensure!(
        output.status.success(),
        "{name} {arguments}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// Takes a service out of every run level. A failure means that there is nothing to take out.
fn disable(service: &str) {
    let unit = format!("{service}.service");
    let _ = Command::new("deb-systemd-helper")
        .args(["disable", &unit])
        .output();
    let _ = Command::new("update-rc.d")
        .args([service, "disable"])
        .output();
}

/// While this lives, package scripts may not start services; the previous policy comes back after.
struct ServicesDenied {
    previous: Option<Vec<u8>>,
}

impl ServicesDenied {
    const POLICY: &'static str = "/usr/sbin/policy-rc.d";

    fn install() -> Result<Self> {
        let previous = fs::read(Self::POLICY).ok();
        // 101 is "action forbidden by policy" to invoke-rc.d.
        Self::write(b"#!/bin/sh\nexit 101\n").context("cannot deny service starts")?;
        Ok(Self { previous })
    }

    fn write(script: &[u8]) -> std::io::Result<()> {
        fs::write(Self::POLICY, script)?;
        fs::set_permissions(Self::POLICY, fs::Permissions::from_mode(0o755))
    }
}

impl Drop for ServicesDenied {
    fn drop(&mut self) {
        let restored = match &self.previous {
            Some(script) => Self::write(script),
            None => fs::remove_file(Self::POLICY),
        };
        if let Err(error) = restored {
            say(&format!(
                "warning: {} was not put back: {error}",
                Self::POLICY
            ));
        }
    }
}
