//! Rows K19 to K26 of the specification's section 8.4, with real commands.
#![allow(clippy::unwrap_used)]

use super::{Command, External};
use crate::probes::{Answer, Dialler, Finding, Means};
use crate::process::words;
use std::fs;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const LONG: Duration = Duration::from_secs(20);

fn external(command: Command) -> External {
    External {
        command,
        arguments: ["10.0.0.100", "80", "10.0.0.1", "8080"].map(str::to_owned),
        environment: Vec::new(),
        timeout: LONG,
    }
}

/// A shell command that gets the four arguments.
fn shell(text: &str) -> External {
    let words = ["/bin/sh", "-c", text, "check"];
    external(Command::Words(words.map(str::to_owned).to_vec()))
}

fn perl(folder: &TempDir, text: &str) -> External {
    let file = folder.path().join("check.pl");
    fs::write(&file, text).unwrap();
    external(Command::Perl(file.display().to_string()))
}

async fn ask(check: &External) -> Answer {
    check.ask(&Means::new(Dialler::default())).await
}

#[tokio::test]
async fn k19_the_exit_code_is_the_verdict() {
    assert_eq!(ask(&shell("exit 0")).await, Answer::up("exit status 0"));
    assert_eq!(ask(&shell("exit 3")).await, Answer::down("exit status 3"));
    let said = shell("echo first; echo 17 clients; exit 0");
    assert_eq!(ask(&said).await, Answer::up("17 clients"));
    let said = shell("echo no route to the database >&2; exit 2");
    assert_eq!(
        ask(&said).await,
        Answer::down("no route to the database (exit status 2)")
    );
}

#[tokio::test]
async fn k21_a_command_that_hangs_is_down_and_ended() {
    let mut check = shell("sleep 600");
    check.timeout = Duration::from_millis(300);
    let begun = Instant::now();
    let answer = ask(&check).await;
    assert_eq!(
        answer,
        Answer::down(
            "system_timeout(0.3, /bin/sh -c sleep 600 check 10.0.0.100 80 10.0.0.1 8080) \
             timed out, kill -TERM child"
        )
    );
    assert!(begun.elapsed() < LONG / 2);
}

/// K22 is better here: the old daemon takes the whole text for the name of a program.
#[tokio::test]
async fn k22_a_command_may_have_arguments_of_its_own() {
    let check = external(Command::Words(words("/bin/echo -n 'a b'")));
    let answer = ask(&check).await;
    assert_eq!(answer, Answer::up("a b 10.0.0.100 80 10.0.0.1 8080"));
}

#[tokio::test]
async fn k23_arguments_are_virtual_and_real_server() {
    let answer = ask(&shell("echo \"$#: $*\"")).await;
    assert_eq!(answer, Answer::up("4: 10.0.0.100 80 10.0.0.1 8080"));
}

#[tokio::test]
async fn k26_a_perl_script_that_dies_or_is_missing_is_down() {
    if super::process::find("perl".as_ref()).is_err() {
        println!("skipped: perl is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let rows = [
        ("exit 0;", Answer::up("exit status 0")),
        (
            "print \"@ARGV\\n\";",
            Answer::up("10.0.0.100 80 10.0.0.1 8080"),
        ),
        ("my ($vip) = @_; return $vip;", Answer::up("exit status 0")),
        ("exit 5;", Answer::down("exit status 5")),
    ];
    for (text, answer) in rows {
        assert_eq!(ask(&perl(&folder, text)).await, answer, "{text}");
    }
    let dies = ask(&perl(&folder, "die \"no answer\\n\";")).await;
    assert_eq!(dies.finding, Finding::Down);
    assert!(dies.message.starts_with("no answer"), "{}", dies.message);
    let broken = ask(&perl(&folder, "my $x = ;")).await;
    assert!(
        broken.message.contains("syntax error"),
        "{}",
        broken.message
    );
    let missing = ask(&external(Command::Perl("/nowhere.pl".to_owned()))).await;
    assert_eq!(missing.finding, Finding::Down);
    assert!(missing.message.contains("cannot read /nowhere.pl"));
}

/// W12: the old daemon takes it for up.
#[tokio::test]
async fn a_command_that_a_signal_ended_is_down() {
    let answer = ask(&shell("echo fine; kill -9 $$")).await;
    assert_eq!(answer, Answer::down("fine (ended by signal 9)"));
}

#[tokio::test]
async fn a_command_that_floods_is_down() {
    let answer = ask(&shell("yes up")).await;
    assert_eq!(answer.finding, Finding::Down);
    assert!(
        answer
            .message
            .ends_with("(ended for writing more than 1024 KiB)"),
        "{}",
        answer.message
    );
}

#[tokio::test]
async fn a_command_that_cannot_be_executed_is_named_in_the_result() {
    let check = external(Command::Words(vec!["/nowhere/check".to_owned()]));
    let answer = ask(&check).await;
    assert_eq!(
        answer,
        Answer::down(
            "exec(/nowhere/check 10.0.0.100 80 10.0.0.1 8080) failed: \
             /nowhere/check: No such file or directory (os error 2)"
        )
    );
}
