//! Which words make which command (specification 1.1, rows C1 to C3, C12 and C13 of 8.5).
#![allow(clippy::unwrap_used)]

use super::{Command, Invocation, Ipvs, Manner, Request, read};
use std::path::Path;

fn run(words: &[&str]) -> Invocation {
    let arguments = ["ldird"].iter().chain(words).map(Into::into);
    match read(arguments) {
        Request::Run(invocation) => invocation,
        other => panic!("{words:?}: {other:?}"),
    }
}

const fn check(offline: bool) -> Command {
    Command::Check(Manner {
        json: false,
        offline,
    })
}

#[test]
fn a_check_takes_several_files() {
    for words in [
        &["check", "a.cf", "b.cf", "c.cf"][..],
        &["check", "--json", "a.cf", "b.cf", "c.cf"],
        &["a.cf", "check", "b.cf", "--json", "c.cf"],
    ] {
        let invocation = run(words);
        assert_eq!(invocation.config, "a.cf", "{words:?}");
        assert_eq!(invocation.more, ["b.cf", "c.cf"], "{words:?}");
    }
}

/// The words, the configuration, its short name and the command.
const LINES: &[(&[&str], &str, &str, Command)] = &[
    (&["start"], "ldirectord.cf", "ldirectord", Command::Start),
    (
        &["ldirectord.cf", "start"],
        "ldirectord.cf",
        "ldirectord.cf",
        Command::Start,
    ),
    (
        &["/etc/ha.d/x.cf", "start"],
        "/etc/ha.d/x.cf",
        "x.cf",
        Command::Start,
    ),
    (
        &["x.cf", "stop", "ignored", "--too"],
        "x.cf",
        "x.cf",
        Command::Stop,
    ),
    (&["check", "status"], "check", "check", Command::Status),
    (
        &["force-reload"],
        "ldirectord.cf",
        "ldirectord",
        Command::Reload { force: false },
    ),
    (
        &["--", "try-restart"],
        "ldirectord.cf",
        "ldirectord",
        Command::TryRestart,
    ),
    (
        &["show", "--json"],
        "ldirectord.cf",
        "ldirectord",
        Command::Show {
            json: true,
            follow: false,
        },
    ),
    (
        &["x.cf", "show", "--follow"],
        "x.cf",
        "x.cf",
        Command::Show {
            json: false,
            follow: true,
        },
    ),
    (
        &["ipvs", "save"],
        "ldirectord.cf",
        "ldirectord",
        Command::Ipvs(Ipvs::Save),
    ),
    (&["x.cf", "check"], "x.cf", "x.cf", check(false)),
    (&["check", "x.cf"], "x.cf", "x.cf", check(false)),
    (
        &["check", "--offline"],
        "ldirectord.cf",
        "ldirectord",
        check(true),
    ),
    (&["check", "--offline", "x.cf"], "x.cf", "x.cf", check(true)),
    (&["x.cf", "check", "--offline"], "x.cf", "x.cf", check(true)),
    (&["status", "x.cf"], "x.cf", "x.cf", Command::Status),
];

#[test]
fn one_operand_is_a_command_and_two_are_configuration_and_command() {
    for (words, config, name, command) in LINES {
        let invocation = run(words);
        let found = (
            invocation.config.as_str(),
            invocation.name.as_str(),
            invocation.command,
        );
        assert_eq!(found, (*config, *name, *command), "{words:?}");
    }
}

#[test]
fn options_come_first() {
    let invocation = run(&["-d", "--etc", "/e", "--run=/r", "x.cf", "start", "-d"]);
    assert!(invocation.debug);
    assert_eq!(invocation.etc, Path::new("/e"));
    assert_eq!(invocation.run, Path::new("/r"));
}

#[test]
fn everything_else_is_usage() {
    let rows: &[&[&str]] = &[
        &[],
        &["foo"],
        &["Start"],
        &["--bogus", "start"],
        &["--deb", "start"],
        &["x.cf", "foo"],
        &["ipvs"],
        &["ipvs", "foo"],
        &["show", "--bogus"],
        &["check", "--bogus"],
        &["force-stop"],
    ];
    for words in rows {
        let arguments = ["ldird"].iter().chain(words.iter()).map(Into::into);
        assert!(matches!(read(arguments), Request::Usage(_)), "{words:?}");
    }
}

#[test]
fn help_and_version_are_told() {
    for words in ["-h", "-?", "--help", "-v", "--version"] {
        let told = read(["ldird", words].map(Into::into));
        assert!(matches!(told, Request::Tell(_)), "{words}");
    }
    for words in [["drain", "--help"], ["show", "-h"], ["ipvs", "-?"]] {
        let told = read(["ldird", words[0], words[1]].map(Into::into));
        assert!(matches!(told, Request::Tell(_)), "{words:?}");
    }
    let Request::Tell(version) = read(["ldird", "-v"].map(Into::into)) else {
        panic!("a version expected");
    };
    assert!(version.lines().next().unwrap().contains("Linux Director"));
}
