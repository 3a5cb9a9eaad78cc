//! When the first address of a network goes, Linux takes the others of that network along, the
//! node's own among them, unless `promote_secondaries` is set. systemd sets it everywhere; here it
//! is set where it matters, and told.

use ha_plumbing::log::{self, Level};
use std::fs;
use std::io;
use std::path::Path;

/// The kernel's settings of each interface, and of `all`.
const SETTINGS: &str = "/proc/sys/net/ipv4/conf";

/// Makes sure that addresses of this interface can go one by one.
pub fn ensure(device: &str) -> io::Result<()> {
    if let Some(told) = switch_on(Path::new(SETTINGS), device)? {
        log::emit(Level::Warning, &told);
    }
    Ok(())
}

/// What there is to tell, if it was off.
fn switch_on(settings: &Path, device: &str) -> io::Result<Option<String>> {
    let setting = |device: &str| settings.join(device).join("promote_secondaries");
    let is_set = |path: &Path| -> io::Result<bool> { Ok(fs::read_to_string(path)?.trim() != "0") };
    // Either of them is enough for the kernel.
    if is_set(&setting("all"))? || is_set(&setting(device))? {
        return Ok(None);
    }
    fs::write(setting(device), "1")?;
    Ok(Some(format!(
        "promote_secondaries of {device} was off and is on from now on: other addresses of a \
         network stay when a virtual one goes"
    )))
}

#[cfg(test)]
mod tests;
