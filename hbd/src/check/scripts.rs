//! Does every resource have a script that this machine can run, and that nobody else can change?

use crate::config::Loaded;
use crate::resources::resident::Directors;
use ha_plumbing::Diagnostic;
use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Where scripts are looked for after the configuration's own directory.
const INIT_SCRIPTS: &str = "/etc/init.d";
/// An interpreter line is shorter.
const HEAD_BYTES: u64 = 256;
/// May anybody change it?
const WORLD_WRITABLE: u32 = 0o002;
/// In a directory: but not remove what belongs to others.
const STICKY: u32 = 0o1000;
const EXECUTABLE: u32 = 0o111;

/// Everything that is wrong with the script of one resource.
pub(super) fn judge(etc: &Path, script: &str, args: &[String]) -> Vec<Diagnostic> {
    let directories = [etc.join("resource.d"), PathBuf::from(INIT_SCRIPTS)];
    let mut found = Vec::new();
    match locate(&directories, script) {
        Located::At(path, metadata) => {
            found.extend(runnable(&path));
            found.extend(guarded(&path, &metadata));
        }
        Located::NotExecutable(path) => {
            let shown = path.display();
            let fault = Diagnostic::error(format!("{script}: {shown} is not executable"));
            found.push(fault.hint(format!("chmod 755 {shown}")));
        }
        Located::Nowhere => {
            let [own, init] = directories.each_ref().map(|path| path.display());
            let fault = Diagnostic::error(format!("{script}: there is no such resource script"));
            found.push(fault.hint(format!("it is looked for in {own} and {init}")));
        }
    }
    if script == "ldirectord"
        && let Some(file) = args.first()
    {
        let places = Directors::new(etc).places(file);
        if !places.iter().any(|place| place.is_file()) {
            let message = format!("{script}: {} does not exist", etc.join(file).display());
            let [own, conf, _] = places.each_ref().map(|place| place.display());
            let hint = format!("it is looked for as {own}, {conf} and {file}");
            let found_none = Diagnostic::warning(message).hint(hint);
            found.push(found_none.ownership());
        }
    }
    found
}

enum Located {
    At(PathBuf, Metadata),
    NotExecutable(PathBuf),
    Nowhere,
}

/// As the daemon looks for it: the first executable regular file.
fn locate(directories: &[PathBuf], script: &str) -> Located {
    let mut dull = None;
    for path in directories.iter().map(|directory| directory.join(script)) {
        match fs::metadata(&path) {
            Ok(found) if found.is_file() && found.permissions().mode() & EXECUTABLE != 0 => {
                return Located::At(path, found);
            }
            Ok(_) => {
                dull.get_or_insert(path);
            }
            Err(_) => {}
        }
    }
    dull.map_or(Located::Nowhere, Located::NotExecutable)
}

/// Has its first line an interpreter, and is that there?
fn runnable(path: &Path) -> Option<Diagnostic> {
    let mut head = Vec::new();
    File::open(path)
        .and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head))
        .ok()?;
    let line = head.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line.strip_prefix(b"#!")?).into_owned();
    let shown = path.display();
    if line.ends_with('\r') {
        let fault = Diagnostic::error(format!("{shown} has the line ends of Windows (CR LF)"));
        return Some(fault.hint("the kernel looks for an interpreter whose name ends in CR"));
    }
    let interpreter = line.split_whitespace().next().unwrap_or_default();
    (!Path::new(interpreter).exists()).then(|| {
        Diagnostic::error(format!(
            "{shown}: its interpreter {interpreter} does not exist"
        ))
    })
}

/// Whoever can change it, or replace it in its directory, is root at the next takeover.
fn guarded(path: &Path, metadata: &Metadata) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut look = |path: &Path, mode: u32, owner: u32, excused: bool| {
        let shown = path.display();
        if mode & WORLD_WRITABLE != 0 && !excused {
            let fault = Diagnostic::warning(format!(
                "{shown} can be changed by anybody, and hbd runs it as root"
            ));
            found.push(fault.hint(format!("chmod go-w {shown}")).ownership());
        }
        if owner != 0 && owner != rustix::process::geteuid().as_raw() {
            let fault = Diagnostic::warning(format!(
                "{shown} belongs to user {owner}, and hbd runs it as root"
            ));
            found.push(fault.hint(format!("chown root {shown}")).ownership());
        }
    };
    look(path, metadata.permissions().mode(), metadata.uid(), false);
    if let Some(parent) = path.parent()
        && let Ok(directory) = fs::metadata(parent)
    {
        let mode = directory.permissions().mode();
        look(parent, mode, directory.uid(), mode & STICKY != 0);
    }
    found
}

/// The scripts that this configuration needs, with their arguments; addresses are built in.
pub(super) fn needed(loaded: &Loaded) -> impl Iterator<Item = (&str, &[String])> {
    let all = loaded.groups.iter().flat_map(|group| &group.resources);
    let builtin = loaded.builtin;
    all.filter(move |one| !builtin || !matches!(one.script.as_str(), "IPaddr" | "IPaddr2"))
        .map(|one| (one.script.as_str(), one.args.as_slice()))
}

#[cfg(test)]
mod tests;
