//! Globals that are about the daemon itself: log, maintenance directory, seed.

use super::LogTarget;
use super::given::{At, Faults, Given};
use ha_plumbing::log::Facility;
use ldird_ipvs::Timeouts;
use std::path::{Path, PathBuf};

/// The old daemon's, where the file names none.
const DEFAULT_LOGFILE: &str = "/var/log/ldirectord.log";

/// The kernel multiplies seconds by its ticks, up to 1000, in signed 32 bits.
const TIMEOUT_MAX: u32 = i32::MAX as u32 / 1000;

/// A path, or the name of a syslog facility. Only looks; the file is opened when the daemon starts.
pub(super) fn log_target(given: Option<&At<String>>, faults: &mut Faults<'_>) -> LogTarget {
    let default = || LogTarget::File(PathBuf::from(DEFAULT_LOGFILE));
    let Some(at) = given else { return default() };
    if at.value.starts_with('/') {
        let path = PathBuf::from(&at.value);
        if path.parent().is_some_and(Path::is_dir) {
            return LogTarget::File(path);
        }
        let message = format!("unable to open logfile: {}", at.value);
        faults.error_with(at.span, message, "its directory does not exist");
        return default();
    }
    if let Some(facility) = Facility::from_name(&at.value) {
        return LogTarget::Syslog(facility);
    }
    let message = format!("unable to open logfile: {}", at.value);
    faults.error_with(
        at.span,
        message,
        "an absolute path or a syslog facility, e.g. local0",
    );
    default()
}

/// What the kernel is told about idle connections; 0 leaves one of the three as it is.
pub(super) fn ipvs_timeouts(global: &Given) -> Option<Timeouts> {
    let seconds =
        |given: &Option<At<u32>>| given.as_ref().map_or(0, |at| at.value.min(TIMEOUT_MAX));
    let timeouts = Timeouts {
        tcp: seconds(&global.tcptimeout),
        tcp_fin: seconds(&global.tcpfintimeout),
        udp: seconds(&global.udptimeout),
    };
    (timeouts != Timeouts::default()).then_some(timeouts)
}

pub(super) fn maintenancedir(
    given: Option<&At<String>>,
    faults: &mut Faults<'_>,
) -> Option<PathBuf> {
    let at = given?;
    let path = PathBuf::from(&at.value);
    if !path.is_dir() {
        faults.warning(at.span, "maintenance directory does not exist");
    }
    Some(path)
}

/// Spreads checks differently on different machines and for different files (FNV-1a).
pub(super) fn seed(path: &Path) -> u64 {
    let system = rustix::system::uname();
    let host = system.nodename().to_bytes();
    let path = path.as_os_str().as_encoded_bytes();
    host.iter()
        .chain(path)
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
}
