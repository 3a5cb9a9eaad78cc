//! The first file system of the emulated machine: busybox, a few modules and a script that mounts
//! the host's root and hands over to the lab binary there.
//!
//! Written as a newc cpio archive ("070701", kernel Documentation/driver-api/early-userspace), which
//! needs neither cpio nor root. Decides nothing about what runs inside.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::bed::kernel::Kernel;
use crate::bed::modules;

/// Reach the host's files, and the channels to the host.
const MODULES: &[&str] = &[
    "virtio_pci",
    "9pnet_virtio",
    "9p",
    "overlay",
    "virtio_console",
];

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const TEXT: u32 = 0o100_644;

/// Builds the archive. `program` takes over as process 1 with the argument `inside`.
pub(super) fn build(kernel: &Kernel, scratch: &Path, program: &Path) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for folder in ["bin", "modules", "proc", "dev", "ro", "rw", "new"] {
        archive.add(folder, DIRECTORY, &[]);
    }
    let busybox = fs::read("/bin/busybox").context("cannot read /bin/busybox")?;
    archive.add("bin/busybox", PROGRAM, &busybox);
    let mut order = String::new();
    for file in modules::in_load_order(&kernel.modules, MODULES)? {
        let name = modules::stem(&file.to_string_lossy());
        archive.add(&format!("modules/{name}.ko"), TEXT, &read_module(&file)?);
        order.push_str(&name);
        order.push(' ');
    }
    let script = INIT
        .replace("@MODULES@", order.trim_end())
        .replace(
            "@TREE@",
            &quoted(kernel.modules.parent().context("modules have a folder")?)?,
        )
        .replace("@SCRATCH@", &quoted(scratch)?)
        .replace("@PROGRAM@", &quoted(program)?);
    archive.add("init", PROGRAM, script.as_bytes());
    Ok(archive.finish())
}

/// Reads a module, unpacking what newer Debian kernels ship compressed.
fn read_module(file: &Path) -> Result<Vec<u8>> {
    let unpacker = match file.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        _ => return fs::read(file).with_context(|| format!("cannot read {}", file.display())),
    };
    let output = std::process::Command::new(unpacker)
        .arg("-dc")
        .arg(file)
        .output();
    let output = output.with_context(|| format!("cannot run {unpacker}"))?;
    ensure!(
        output.status.success(),
        "{unpacker} cannot unpack {}",
        file.display()
    );
    Ok(output.stdout)
}

fn quoted(path: &Path) -> Result<String> {
    let text = path
        .to_str()
        .with_context(|| format!("{} is not UTF-8", path.display()))?;
    ensure!(
        !text.contains('\''),
        "{text}: a quote in a path cannot be passed on"
    );
    Ok(format!("'{text}'"))
}

/// Any failure ends the machine: the console log then shows the line.
const INIT: &str = r#"#!/bin/busybox sh
set -e
b=/bin/busybox
fail() { echo "lab: boot failed"; $b poweroff -f; }
trap fail EXIT
$b mount -t devtmpfs dev /dev
$b mount -t proc proc /proc
for module in @MODULES@; do $b insmod /modules/$module.ko; done
nine=trans=virtio,version=9p2000.L,msize=512000
$b mount -t 9p -o $nine,cache=loose,ro root /ro
$b mount -t tmpfs -o size=75% rw /rw
$b mkdir /rw/upper /rw/work
$b mount -t overlay -o lowerdir=/ro,upperdir=/rw/upper,workdir=/rw/work root /new
$b mount -t proc proc /new/proc
$b mount -t sysfs sys /new/sys
$b mount -t devtmpfs dev /new/dev
$b mkdir -p /new/dev/pts /new/dev/shm
$b mount -t devpts -o mode=620,ptmxmode=666 pts /new/dev/pts
$b mount -t tmpfs shm /new/dev/shm
$b mount -t tmpfs run /new/run
$b mkdir -p /new/run/lock /new/lib/modules
$b mount -o bind /new@TREE@ /new/lib/modules
$b mount -t 9p -o $nine,cache=none scratch /new@SCRATCH@
exec $b switch_root /new @PROGRAM@ inside
"#;

/// A cpio archive in the newc format: headers and names and contents, each padded to four bytes.
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    fn add(&mut self, name: &str, mode: u32, content: &[u8]) {
        self.entries += 1;
        let fields = [
            self.entries, // Inode number; distinct, or entries would be hard links.
            mode,
            0, // Owner.
            0, // Group.
            1, // Links.
            0, // Modification time.
            u32::try_from(content.len()).expect("boot files are small"),
            0, // Device and special device, major and minor.
            0,
            0,
            0,
            u32::try_from(name.len()).expect("boot names are short") + 1,
            0, // Checksum, unused in this format.
        ];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes
                .extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn finish(mut self) -> Vec<u8> {
        self.add("TRAILER!!!", 0, &[]);
        self.bytes
    }
}

#[cfg(test)]
mod tests;
