//! The Debian packages that the bed needs: programs on the system, the kernel unpacked beside the build.
//!
//! Installs only what is missing, says so, and never lets a freshly installed service start or stay
//! enabled. On a system that it may not change it prints what to install and fails.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::{artefacts, modules, say};

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

/// What the hosts need.
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
    Package {
        name: "keepalived",
        purpose: "a peer for comparison",
        services: &["keepalived"],
    },
];

/// The package that depends on the newest kernel for servers.
const KERNEL: &str = "linux-image-amd64";

/// Makes sure that every program of the bed is installed.
pub fn ensure_programs() -> Result<()> {
    let wanted: Vec<&Package> = MACHINE.iter().chain(HOSTS).collect();
    let missing: Vec<&Package> = wanted
        .iter()
        .copied()
        .filter(|package| !is_installed(package.name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    refuse_unless_changeable(&missing)?;
    say("installing Debian packages, their services stay off:");
    for package in &missing {
        say(&format!("  {:<18} {}", package.name, package.purpose));
    }
    refresh_lists()?;
    let _services_stay_off = ServicesDenied::install()?;
    let mut install = apt();
    install.args(["install", "--yes", "--no-install-recommends"]);
    run(install.args(missing.iter().map(|package| package.name)))?;
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

/// Debian's stock kernel, unpacked and not installed.
#[derive(Debug, Clone)]
pub struct Kernel {
    pub image: PathBuf,
    /// `.../lib/modules/VERSION`, with `modules.dep` present.
    pub modules: PathBuf,
    pub version: String,
}

/// Unpacks the kernel on first use and returns it from the cache later.
pub fn ensure_kernel() -> Result<Kernel> {
    let cache = artefacts().join("kernel");
    if let Some(kernel) = cached_kernel(&cache) {
        return Ok(kernel);
    }
    ensure!(
        is_debian_like(),
        "this kernel has no IPVS: load ip_vs, or run on a Debian-like system, where the lab fetches one"
    );
    refresh_lists()?;
    let package = resolve_kernel()?;
    say(&format!(
        "fetching {package} for the emulated machine (unpacked, not installed)"
    ));
    let fresh =
        tempfile::tempdir_in(artefacts()).context("cannot create a directory for the kernel")?;
    // The unprivileged download user of apt could not write here.
    run(apt()
        .args(["-o", "APT::Sandbox::User=root", "download", &package])
        .current_dir(fresh.path()))?;
    let archive = first_entry(fresh.path(), |name| name.ends_with(".deb"))
        .with_context(|| format!("apt-get download {package} left no archive"))?;
    run(Command::new("dpkg-deb")
        .arg("-x")
        .arg(&archive)
        .arg(fresh.path()))?;
    fs::remove_file(&archive).context("cannot remove the kernel's archive")?;
    let unpacked = locate_kernel(fresh.path()).context("the kernel package has no kernel in it")?;
    run(Command::new(modules::program("depmod")?)
        .arg("-b")
        .arg(fresh.path())
        .arg(&unpacked.version))?;
    if cache.exists() {
        fs::remove_dir_all(&cache).context("cannot remove an incomplete kernel cache")?;
    }
    fs::rename(fresh.keep(), &cache).context("cannot put the kernel into its cache")?;
    cached_kernel(&cache).context("the unpacked kernel is incomplete")
}

fn cached_kernel(cache: &Path) -> Option<Kernel> {
    locate_kernel(cache).filter(|kernel| kernel.modules.join("modules.dep").is_file())
}

fn locate_kernel(root: &Path) -> Option<Kernel> {
    let image = first_entry(&root.join("boot"), |name| name.starts_with("vmlinuz-"))?;
    let version = image
        .file_name()?
        .to_str()?
        .strip_prefix("vmlinuz-")?
        .to_owned();
    let modules = ["lib/modules", "usr/lib/modules"]
        .iter()
        .map(|folder| root.join(folder).join(&version))
        .find(|folder| folder.is_dir())?;
    Some(Kernel {
        image,
        modules,
        version,
    })
}

fn first_entry(folder: &Path, wanted: impl Fn(&str) -> bool) -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .ok()?
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_str().is_some_and(&wanted))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found.into_iter().next()
}

/// The versioned package behind the meta package, such as `linux-image-6.1.0-37-amd64`.
fn resolve_kernel() -> Result<String> {
    let output = Command::new("apt-cache")
        .args(["depends", "--no-recommends", "--no-suggests", KERNEL])
        .output()
        .context("cannot run apt-cache")?;
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "))
        .find(|name| name.starts_with("linux-image-"))
        .map(str::to_owned)
        .with_context(|| format!("apt knows no kernel behind {KERNEL}"))
}

fn is_installed(package: &str) -> bool {
    Command::new("dpkg-query")
        .args(["-W", "-f", "${db:Status-Status}", package])
        .output()
        .is_ok_and(|output| output.stdout == b"installed")
}

fn is_debian_like() -> bool {
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

/// Fetches the package lists where there are none, as on a fresh container.
fn refresh_lists() -> Result<()> {
    let have_lists = fs::read_dir("/var/lib/apt/lists").is_ok_and(|entries| {
        entries.filter_map(Result::ok).any(|entry| {
            entry
                .file_name()
                .to_str()
                .is_some_and(|name| name.contains("_Packages"))
        })
    });
    if have_lists {
        return Ok(());
    }
    say("fetching the package lists");
    run(apt().arg("update"))
}

fn apt() -> Command {
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
fn run(command: &mut Command) -> Result<()> {
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
