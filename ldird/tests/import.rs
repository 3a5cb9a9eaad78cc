//! `ldird import`: what it makes of keepalived.conf files as people write them, and that `ldird check`
//! takes what it writes. `UPDATE_GOLDEN=1 cargo test -p ldird --test import` writes the files anew.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import")
}

fn ldird(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ldird"));
    command
        .current_dir(folder())
        .args(words)
        .env("NO_COLOR", "1");
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Every keepalived.conf of the folder, by name without its ending.
fn names() -> Vec<String> {
    let entries = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.extension().is_some_and(|end| end == "conf"));
    let files = files.filter(|path| path.is_file());
    let mut names: Vec<String> = files
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn published_shapes_become_what_the_golden_files_say() {
    let names = names();
    assert!(names.len() >= 12, "{names:?}");
    for name in names {
        let said = ldird(&[
            "import",
            "--node",
            "lb1",
            "--peer",
            "lb2",
            &format!("{name}.conf"),
        ]);
        let code = said.status.code().unwrap();
        let found = format!(
            "exit {code}\n--- standard error ---\n{}--- standard output ---\n{}",
            text(&said.stderr),
            text(&said.stdout)
        );
        let golden = folder().join(format!("{name}.txt"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, &found).unwrap();
        }
        let wanted = fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(found, wanted, "{name}");
    }
}

#[test]
fn what_is_written_passes_its_own_check() {
    for name in names() {
        let to = tempfile::tempdir().unwrap();
        let into = to.path().join("new");
        let into_text = into.to_str().unwrap();
        let file = format!("{name}.conf");
        let made = ldird(&["import", "--node", "lb1", "--to", into_text, &file]);
        if name == "broken" {
            assert_eq!(made.status.code(), Some(2));
            assert!(!into.exists(), "something was written");
            continue;
        }
        assert_eq!(
            made.status.code(),
            Some(0),
            "{name}: {}",
            text(&made.stderr)
        );
        for entry in fs::read_dir(&into).unwrap() {
            let path = entry.unwrap().path();
            let own = path.file_name().unwrap().to_str().unwrap().to_owned();
            if own.starts_with("ldirectord") {
                let said = ldird(&[
                    "--etc",
                    into_text,
                    "check",
                    "--offline",
                    path.to_str().unwrap(),
                ]);
                let told = text(&said.stderr) + &text(&said.stdout);
                assert_eq!(said.status.code(), Some(0), "{name}, {own}:\n{told}");
            }
        }
    }
}

#[test]
fn nothing_that_exists_is_written_over() {
    let to = tempfile::tempdir().unwrap();
    let precious = to.path().join("haresources");
    fs::write(&precious, "precious\n").unwrap();
    let made = ldird(&[
        "import",
        "--to",
        to.path().to_str().unwrap(),
        "simple-dr.conf",
    ]);
    assert_eq!(made.status.code(), Some(1));
    let told = text(&made.stderr);
    assert!(
        told.contains("haresources exists; nothing is written"),
        "{told}"
    );
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious\n");
    assert_eq!(fs::read_dir(to.path()).unwrap().count(), 1);
}

#[test]
fn a_file_that_is_missing_and_words_that_are_none_are_told() {
    let missing = ldird(&["import", "nowhere.conf"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("nowhere.conf"));
    for words in [
        &["import"][..],
        &["import", "--bogus", "a"],
        &["import", "a", "b"],
        &["import", "--to"],
    ] {
        let said = ldird(words);
        assert_eq!(said.status.code(), Some(255), "{words:?}");
        assert!(text(&said.stdout).starts_with("usage: ldird import"));
    }
}

#[test]
fn commands_of_checks_become_scripts_that_run() {
    use std::os::unix::fs::PermissionsExt as _;
    let to = tempfile::tempdir().unwrap();
    let file = to.path().join("k.conf");
    fs::write(
        &file,
        "virtual_server 10.0.0.1 80 {\n real_server 10.0.0.2 80 { MISC_CHECK { misc_path \"/bin/true -x\" } }\n \
         real_server 10.0.0.3 80 {\n MISC_CHECK {\n misc_path /bin/false\n}\n}\n}\n",
    )
    .unwrap();
    let into = to.path().join("new");
    let made = ldird(&[
        "import",
        "--to",
        into.to_str().unwrap(),
        file.to_str().unwrap(),
    ]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let script = into.join("check-1.sh");
    assert_eq!(
        fs::metadata(&script).unwrap().permissions().mode() & 0o777,
        0o755
    );
    for (real, wanted) in [("10.0.0.2", 0), ("10.0.0.3", 1), ("10.0.0.9", 1)] {
        let ended = Command::new(&script)
            .args(["10.0.0.1", "80", real, "80"])
            .status();
        assert_eq!(ended.unwrap().code(), Some(wanted), "{real}");
    }
}
