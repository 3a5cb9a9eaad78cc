//! One director for each file, whatever becomes of files.
#![allow(clippy::unwrap_used)]

use super::{Claim, Kind, NAME_MAX, holder, name};
use std::fs;
use std::io;
use std::path::Path;

fn own_pid() -> u32 {
    std::process::id()
}

fn holder_of(path: &Path) -> Option<u32> {
    holder(Kind::Director, path).map(|pid| pid.as_raw_nonzero().get().unsigned_abs())
}

#[tokio::test]
async fn a_director_is_found_by_its_file_under_every_name_and_when_the_file_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.cf");
    let link = folder.path().join("y.cf");
    fs::write(&file, "").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    assert_eq!(holder_of(&file), None, "nobody runs it");
    let claim = Claim::acquire(Kind::Director, &file).unwrap();
    assert_eq!(holder_of(&file), Some(own_pid()));
    assert_eq!(holder_of(&link), Some(own_pid()), "by a link");
    assert_eq!(holder_of(&folder.path().join("z.cf")), None, "another file");
    fs::remove_file(&file).unwrap();
    assert_eq!(holder_of(&file), Some(own_pid()), "deleted");
    drop(claim);
    assert_eq!(holder_of(&file), None, "at once");
}

#[tokio::test]
async fn a_file_is_claimed_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.cf");
    fs::write(&file, "").unwrap();
    let _claim = Claim::acquire(Kind::Director, &file).unwrap();
    let second = Claim::acquire(Kind::Director, &file).unwrap_err();
    assert_eq!(second.kind(), io::ErrorKind::AddrInUse);
}

#[test]
fn names_of_long_paths_fit_and_differ() {
    let long = |end: &str| {
        name(
            Kind::Director,
            Path::new(&format!("/{}ö/{end}", "directory/".repeat(40))),
        )
    };
    assert!(long("a.cf").len() <= NAME_MAX, "{}", long("a.cf"));
    assert_ne!(long("a.cf"), long("b.cf"));
    assert!(long("a.cf").ends_with("a.cf"));
}
