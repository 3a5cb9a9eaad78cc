//! Folders of `hbd/tests/configurations`: what `hbd check` says of each, compared with its
//! `expected` file. `UPDATE_GOLDEN=1 cargo test -p hbd` writes those files anew.

use super::load_copy;
use crate::config::{Loaded, MediumSpec};
use hbd_core::config::NodeName;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn folders(kind: &str) -> Vec<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/configurations")
        .join(kind);
    let mut folders: Vec<PathBuf> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    assert!(folders.len() > 4, "{kind} has folders");
    folders
}

/// What the folder is found to be, and whether it is usable.
fn judged(folder: &Path) -> (String, bool) {
    let copy = tempfile::tempdir().unwrap();
    let result = load_copy(folder, copy.path());
    let (diagnostics, meaning) = match &result {
        Ok(loaded) => (&loaded.warnings, meaning(loaded)),
        Err(faults) => (faults, String::new()),
    };
    let text = format!(
        "{}{}\n{meaning}",
        diagnostics.render(false),
        diagnostics.summary()
    );
    let prefix = format!("{}/", copy.path().display());
    (text.replace(&prefix, ""), result.is_ok())
}

/// What a usable configuration means, in a few lines.
pub(super) fn meaning(loaded: &Loaded) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: String| writeln!(out, "{name}: {value}").unwrap();
    let nodes: Vec<&str> = loaded.nodes.iter().map(NodeName::as_str).collect();
    line("local", loaded.local.to_string());
    line("nodes", nodes.join(" "));
    line("cluster", loaded.cluster.clone());
    line("timing", format!("{:?}", loaded.timing));
    line("failback", loaded.failback.as_str().to_owned());
    line(
        "identity",
        format!("{:?} {:?}", loaded.uuid_from, loaded.generation_from),
    );
    for medium in &loaded.media {
        line(medium.name(), way(medium));
    }
    for ping in &loaded.pings {
        let hosts: Vec<&str> = ping.hosts.iter().map(|host| host.name.as_str()).collect();
        line(ping.directive, format!("{} {}", ping.name, hosts.join(" ")));
    }
    for (index, key) in loaded.keys.iter() {
        let signing = if index == loaded.keys.signing() {
            " signs"
        } else {
            ""
        };
        line("key", format!("{index} {}{signing}", key.method().name()));
    }
    for group in &loaded.groups {
        let words = group
            .resources
            .iter()
            .map(|one| format!(" {}{:?}", one.script, one.args));
        line(
            "group",
            format!(
                "{} {}:{}",
                group.preferred,
                group.name,
                words.collect::<String>()
            ),
        );
    }
    line(
        "logging",
        format!("{:?} badpack {}", loaded.logging, loaded.log_badpack),
    );
    line("realtime", format!("{:?}", loaded.realtime));
    line(
        "builtin",
        format!("{} {:?}", loaded.builtin, loaded.script_limits),
    );
    for (name, value) in &loaded.environment {
        line("environment", format!("{name}={value}"));
    }
    out
}

fn compare(kind: &str, usable: bool) {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    for folder in folders(kind) {
        let (found, ok) = judged(&folder);
        assert_eq!(ok, usable, "{}:\n{found}", folder.display());
        let path = folder.join("expected");
        if update {
            fs::write(&path, &found).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == expected,
            "{}: UPDATE_GOLDEN=1 accepts this:\n{found}",
            path.display()
        );
    }
}

#[test]
fn valid_configurations_are_usable_with_these_warnings() {
    compare("valid", true);
}

#[test]
fn invalid_configurations_show_these_faults() {
    compare("invalid", false);
}

fn way(medium: &MediumSpec) -> String {
    match medium {
        MediumSpec::Bcast { interface, port } => format!("{interface} {port}"),
        MediumSpec::Mcast {
            interface,
            group,
            hops,
            loopback,
        } => format!("{interface} {group} {hops} {loopback}"),
        MediumSpec::Ucast { interface, peer } => format!("{interface} {peer}"),
        MediumSpec::Serial { device, baud } => format!("{device} {baud}"),
    }
}
