//! Debian's stock kernel for the emulated machine: fetched once, unpacked below `target/lab`, never
//! installed.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, ensure};

use super::packages::{apt, from_archive, is_debian_like, run};
use super::{alone, artefacts, modules, say};

/// The package that depends on the newest kernel for servers.
const KERNEL: &str = "linux-image-amd64";
/// Unpacking itself takes a kernel three seconds under emulation: half of the boot.
const UNCOMPRESSED: &str = "vmlinux";

/// Debian's stock kernel, unpacked and not installed.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// Uncompressed where possible.
    pub image: PathBuf,
    /// `.../lib/modules/VERSION`, with `modules.dep` present.
    pub modules: PathBuf,
    pub version: String,
}

/// Unpacks the kernel on first use and returns it from the cache later.
pub fn ensure() -> Result<Kernel> {
    let _alone = alone()?;
    let cache = artefacts().join("kernel");
    if let Some(kernel) = cached(&cache) {
        return Ok(kernel);
    }
    ensure!(
        is_debian_like(),
        "this kernel has no IPVS: load ip_vs, or run on a Debian-like system, where the lab fetches one"
    );
    let fresh =
        tempfile::tempdir_in(artefacts()).context("cannot create a directory for the kernel")?;
    from_archive(|| {
        let package = resolve_kernel()?;
        say(&format!(
            "fetching {package} for the emulated machine (unpacked, not installed)"
        ));
        // The unprivileged download user of apt could not write here.
        run(apt()
            .args(["-o", "APT::Sandbox::User=root", "download", &package])
            .current_dir(fresh.path()))
    })?;
    let archive = first_entry(fresh.path(), |name| name.starts_with("linux-image-"))
        .context("apt-get download left no archive of a kernel")?;
    run(Command::new("dpkg-deb")
        .arg("-x")
        .arg(&archive)
        .arg(fresh.path()))?;
    fs::remove_file(&archive).context("cannot remove the kernel's archive")?;
    let unpacked = locate(fresh.path()).context("the kernel package has no kernel in it")?;
    run(Command::new(modules::program("depmod")?)
        .arg("-b")
        .arg(fresh.path())
        .arg(&unpacked.version))?;
    if let Some(plain) = uncompressed(&unpacked.image)? {
        fs::write(unpacked.image.with_file_name(UNCOMPRESSED), plain)?;
    }
    if cache.exists() {
        fs::remove_dir_all(&cache).context("cannot remove an incomplete kernel cache")?;
    }
    fs::rename(fresh.keep(), &cache).context("cannot put the kernel into its cache")?;
    cached(&cache).context("the unpacked kernel is incomplete")
}

fn cached(cache: &Path) -> Option<Kernel> {
    locate(cache).filter(|kernel| kernel.modules.join("modules.dep").is_file())
}

fn locate(root: &Path) -> Option<Kernel> {
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

/// The ELF kernel inside a compressed image, or `None` where it is not packed as we know it.
fn uncompressed(image: &Path) -> Result<Option<Vec<u8>>> {
    let packed = fs::read(image).with_context(|| format!("cannot read {}", image.display()))?;
    let formats: [(&[u8], &[&str]); 3] = [
        (b"\xfd7zXZ\0", &["xz", "--single-stream", "-dc"]),
        (b"\x28\xb5\x2f\xfd", &["zstd", "-dcq"]),
        (b"\x1f\x8b\x08", &["gzip", "-dcq"]),
    ];
    for (magic, unpacker) in formats {
        let starts = packed
            .windows(magic.len())
            .enumerate()
            .filter(|(_, bytes)| *bytes == magic);
        for (start, _) in starts {
            let plain = unpack(unpacker, packed.get(start..).unwrap_or_default());
            if plain.starts_with(b"\x7fELF") {
                return Ok(Some(plain));
            }
        }
    }
    Ok(None)
}

/// What an unpacker makes of these bytes; it complains about what follows, so its status says nothing.
fn unpack(unpacker: &[&str], packed: &[u8]) -> Vec<u8> {
    let Some((program, arguments)) = unpacker.split_first() else {
        return Vec::new();
    };
    let started = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = started else {
        return Vec::new();
    };
    let input = child.stdin.take();
    thread::scope(|scope| {
        scope.spawn(move || input.map(|mut input| input.write_all(packed)));
        child
            .wait_with_output()
            .map(|output| output.stdout)
            .unwrap_or_default()
    })
}
