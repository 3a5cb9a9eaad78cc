//! Loads the kernel module, as a last resort when the kernel did not do it by itself.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

/// How long modprobe may take.
const MODPROBE_LIMIT: Duration = Duration::from_secs(10);
/// Where modprobe lives; daemons often start with a PATH that lacks it.
const MODPROBE_PATH: &str = "/usr/sbin:/sbin:/usr/bin:/bin";
/// How much of its complaint is worth repeating.
const COMPLAINT_CHARS: usize = 200;

/// Runs `modprobe ip_vs` once and says, for people, how it ended.
pub(crate) async fn load() -> String {
    let mut modprobe = Command::new("modprobe");
    modprobe
        .arg("ip_vs")
        .env("PATH", MODPROBE_PATH)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    match timeout(MODPROBE_LIMIT, modprobe.output()).await {
        Err(_) => format!("no end within {MODPROBE_LIMIT:?}"),
        Ok(Err(fault)) => fault.to_string(),
        Ok(Ok(output)) if output.status.success() => "succeeded".to_owned(),
        Ok(Ok(output)) => {
            let complaint = String::from_utf8_lossy(&output.stderr);
            let first = complaint.lines().next().unwrap_or("failed without a word");
            first.chars().take(COMPLAINT_CHARS).collect()
        }
    }
}
