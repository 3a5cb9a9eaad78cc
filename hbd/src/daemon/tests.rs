#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::host::Elsewhere;
use crate::driver::TURN_REPORTS;
use ha_plumbing::log::Console;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A configuration whose only medium is not there.
fn configured(etc: &Path) -> Loaded {
    let write = |name: &str, text: &str| {
        let path = etc.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    write("ha.cf", "node lb1 lb2\nbcast absent0\n");
    write("authkeys", "auth 1\n1 sha1 long-enough\n");
    write("haresources", "");
    let options = Options {
        node: Some("lb1"),
        host: &Elsewhere,
    };
    config::load(etc, options).unwrap()
}

/// Something else is ready in every turn as well, and what woke the loop is one event only.
#[tokio::test]
async fn every_turn_of_the_daemon_takes_its_share_of_reports() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let common = Common {
        etc: folder.path().to_owned(),
        state: place("state"),
        run: place("run"),
        node: Some("lb1".to_owned()),
    };
    let loaded = configured(folder.path());
    let mut settings = loaded.log_settings();
    settings.console = Console::Off;
    let log = log::start(&settings).unwrap();
    let (presence, _) = Presence::claim(&common).unwrap();
    let identity = identity::load(
        &common.state,
        "lb1",
        loaded.uuid_from,
        loaded.generation_from,
    );
    let identity = identity.unwrap();
    let life = Life {
        uuid: identity.uuid,
        generation: identity.generation,
        seed: identity.seed,
        wall: Wall::now(Instant::now()),
    };
    let around = (presence, Signals::default());
    let driver = driver(&common, loaded, (life, identity), log, around);
    let mut driver = driver.await.unwrap();
    for _ in 0..2 * TURN_REPORTS {
        let report = Report::Tell(Severity::Info, "a script has run".to_owned());
        driver.reporting.try_send(report).unwrap();
    }
    for _ in 0..2 {
        let waiting = driver.reports.len();
        driver.turn().await;
        let taken = waiting - driver.reports.len();
        assert!(taken >= TURN_REPORTS.min(waiting), "{taken} of {waiting}");
    }
}
