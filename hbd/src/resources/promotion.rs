//! When the first address of a network goes, Linux takes the others of that network along, the
//! node's own among them, unless `promote_secondaries` is set. systemd sets it everywhere; here it
//! is set where it matters, and told.

use ha_plumbing::log::{self, Level};
use std::io;

/// Makes sure that addresses of this interface can go one by one.
pub fn ensure(device: &str) -> io::Result<()> {
    let setting = |device: &str| format!("/proc/sys/net/ipv4/conf/{device}/promote_secondaries");
    let is_set =
        |path: &str| -> io::Result<bool> { Ok(std::fs::read_to_string(path)?.trim() != "0") };
    // Either of them is enough for the kernel.
    if is_set(&setting("all"))? || is_set(&setting(device))? {
        return Ok(());
    }
    std::fs::write(setting(device), "1")?;
    let text = format!(
        "promote_secondaries of {device} was off and is on from now on: other addresses of a \
         network stay when a virtual one goes"
    );
    log::emit(Level::Warning, &text);
    Ok(())
}
