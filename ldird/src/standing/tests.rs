//! What one life is told and the next one knows.
#![allow(clippy::unwrap_used)]

use super::{Beginning, Ending, Standing, StandingFile, boot, clear, note_active, parse, text};
use crate::instance::Instance;
use ha_status::Role;
use std::fs;
use std::path::Path;

fn instance(folder: &Path, name: &str) -> Instance {
    Instance {
        name: name.to_owned(),
        path: folder.join("x.cf"),
        pidfile: folder.join("pid"),
        etc: folder.to_owned(),
        run: folder.to_owned(),
        socket: folder.join(format!("ldird.{name}.sock")),
    }
}

fn is_active(instance: &Instance) -> bool {
    Standing::find(instance, Beginning::Resident).role == Role::Active
}

fn told(resident: bool, role: Role) -> Standing {
    Standing {
        resident,
        role,
        since_ms: 1_700_000_000_000,
        by: "root (uid 0, pid 7)".to_owned(),
    }
}

#[test]
fn only_this_boots_word_counts_and_damage_means_standby() {
    for resident in [false, true] {
        for role in [Role::Active, Role::Standby] {
            let whole = text(&told(resident, role));
            assert_eq!(parse(&whole, &boot()), Some(told(resident, role)));
            assert_eq!(parse(&whole, "another boot"), None);
        }
    }
    let whole = text(&told(true, Role::Active));
    let lines: Vec<&str> = whole.lines().collect();
    for count in 0..lines.len() {
        assert_eq!(parse(&lines[..count].join("\n"), &boot()), None, "{count}");
    }
    assert_eq!(parse("\u{0}\u{0}\n\n\n\n\n", &boot()), None);
}

#[tokio::test]
async fn a_resident_director_comes_back_in_the_role_that_it_was_killed_in() {
    let folder = tempfile::tempdir().unwrap();
    let one = instance(folder.path(), "ldirectord");
    let standing = Standing::find(&one, Beginning::Resident);
    assert_eq!(standing.role, Role::Standby, "nobody has said anything");
    let file = StandingFile::open(&one, &standing);
    file.note(&told(true, Role::Active));
    file.0.settle().await;
    // The service manager knows it by another name.
    let other = instance(folder.path(), "x.cf");
    let again = Standing::find(&other, Beginning::Resident);
    assert_eq!(again, told(true, Role::Active));
    let file = StandingFile::open(&other, &again);
    file.note(&told(true, Role::Standby));
    file.0.settle().await;
    for instance in [&one, &other] {
        let role = Standing::find(instance, Beginning::Resident).role;
        assert_eq!(role, Role::Standby);
    }
}

#[tokio::test]
async fn who_takes_the_place_of_another_director_is_what_that_one_was() {
    let folder = tempfile::tempdir().unwrap();
    let one = instance(folder.path(), "x.cf");
    for before in [
        told(true, Role::Standby),
        told(true, Role::Active),
        told(false, Role::Active),
    ] {
        let file = StandingFile::open(&one, &before);
        file.close(before.clone(), Ending::HandedOver).await;
        assert_eq!(Standing::find(&one, Beginning::Restarted), before);
        clear(&one).unwrap();
    }
    let nobody = Standing::find(&one, Beginning::Restarted);
    assert_eq!((nobody.resident, nobody.role), (false, Role::Active));
}

#[tokio::test]
async fn a_director_that_is_not_resident_is_always_active_and_leaves_no_word_behind() {
    let folder = tempfile::tempdir().unwrap();
    let one = instance(folder.path(), "x.cf");
    let standing = Standing::find(&one, Beginning::Started);
    assert_eq!(standing.role, Role::Active);
    let file = StandingFile::open(&one, &standing);
    assert!(is_active(&one), "a kill finds it so");
    file.close(standing, Ending::Stopped).await;
    assert!(!is_active(&one));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_a_stop_finds_without_a_director_is_cleared() {
    let folder = tempfile::tempdir().unwrap();
    let one = instance(folder.path(), "x.cf");
    note_active(&one).unwrap();
    assert!(is_active(&one));
    clear(&one).unwrap();
    assert!(!is_active(&one));
    clear(&one).unwrap();
}
