#![allow(clippy::unwrap_used)]

use super::*;
use std::time::Instant;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(20);

struct Scripts {
    directory: TempDir,
    site: Site,
    cancel: watch::Sender<bool>,
}

impl Scripts {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let site = Site {
            directories: vec![directory.path().to_owned()],
            environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
        };
        let cancel = watch::Sender::new(false);
        Self {
            directory,
            site,
            cancel,
        }
    }

    fn write(&self, name: &str, body: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    async fn run(&self, body: &str, limit: Duration) -> Result<Ran, ScriptError> {
        let path = self.write("script", body);
        let args = ["one".to_owned()];
        let mut cancel = self.cancel.subscribe();
        run(
            &self.site,
            &path,
            &args,
            Operation::Start,
            limit,
            &mut cancel,
        )
        .await
    }
}

#[test]
fn words_decide_whether_something_runs() {
    for (words, runs) in [
        ("running", true),
        ("Running OK", true),
        ("ldirectord is running with pid 7", true),
        ("OK", true),
        ("stopped", false),
        ("not running", false),
        ("is Not Running", false),
        ("nothing is running", true),
        ("not in the mood for running", false),
        ("it is running, not stopped", true),
        ("", false),
    ] {
        assert_eq!(says_running(words), runs, "{words}");
    }
}

#[test]
fn only_executable_regular_files_of_the_directories_are_found() {
    let scripts = Scripts::new();
    let path = scripts.write("good", "");
    assert_eq!(scripts.site.find("good").unwrap(), Some(path));
    std::fs::write(scripts.directory.path().join("plain"), "").unwrap();
    std::fs::create_dir(scripts.directory.path().join("folder")).unwrap();
    for name in ["plain", "folder", "missing", "../good", "/bin/sh", ".", ""] {
        assert_eq!(scripts.site.find(name).unwrap(), None, "{name}");
    }
}

#[test]
fn shortage_and_a_failing_disk_pass_and_a_file_that_is_no_program_stays() {
    let path = Path::new("/nonesuch");
    let of = |errno| refusal(path, &io::Error::from_raw_os_error(errno));
    for errno in [
        libc::EAGAIN,
        libc::ENOMEM,
        libc::EMFILE,
        libc::ENFILE,
        libc::ETXTBSY,
        libc::EIO,
        libc::ESTALE,
    ] {
        assert!(matches!(of(errno), Refusal::Passes(_)), "{errno}");
    }
    for errno in [libc::ENOENT, libc::EACCES, libc::ENOTDIR, libc::ELIBBAD] {
        assert!(matches!(of(errno), Refusal::Stays(_)), "{errno}");
    }
}

#[tokio::test]
async fn arguments_environment_and_output_are_as_documented() {
    let scripts = Scripts::new();
    let ran = scripts
        .run("echo \"$@\"; env | sort >&2; exit 3", LIMIT)
        .await
        .unwrap();
    assert_eq!(ran.stdout, "one start\n");
    assert_eq!(ran.status.code(), Some(3));
    let names: Vec<&str> = ran
        .stderr
        .lines()
        .filter_map(|line| line.split('=').next())
        .collect();
    // The shell itself adds these two.
    assert!(
        names
            .iter()
            .all(|name| ["PATH", "PWD", "_", "SHLVL"].contains(name)),
        "{names:?}"
    );
    assert!(ran.describe().starts_with("exit status 3 ("));
}

#[tokio::test]
async fn service_left_behind_holds_nobody_up() {
    let scripts = Scripts::new();
    let begun = Instant::now();
    let ran = scripts.run("sleep 30 & echo $!", LIMIT).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10));
    let pid: i32 = ran.stdout.trim().parse().unwrap();
    let pid = Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
}

#[tokio::test]
async fn hanging_script_is_ended_with_its_children() {
    let scripts = Scripts::new();
    let mark = scripts.directory.path().join("pid");
    let body = format!("sleep 60 & echo $! >{}; wait", mark.display());
    let result = scripts.run(&body, Duration::from_millis(500)).await;
    assert!(
        matches!(result, Err(ScriptError::TimedOut(_))),
        "{result:?}"
    );
    let pid: i32 = std::fs::read_to_string(mark)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    // Its new parent may be slow in reaping it: gone or a zombie are both dead.
    let stat = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let dead = async {
        while !(stat().is_empty() || stat().contains(") Z ")) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LIMIT, dead).await.unwrap();
}

#[tokio::test]
async fn what_a_script_started_may_end_in_order_after_it() {
    let scripts = Scripts::new();
    let path = |name: &str| scripts.directory.path().join(name);
    let (ready, ended) = (path("ready"), path("ended"));
    let body = format!(
        "(trap 'sleep 0.2; touch {}; exit' TERM; touch {}; while :; do sleep 0.01; done) &
         trap 'exit 1' TERM; while :; do sleep 0.01; done",
        ended.display(),
        ready.display()
    );
    let (result, ()) = tokio::join!(scripts.run(&body, LIMIT), async {
        while !ready.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        scripts.cancel.send(true).unwrap();
    });
    assert!(matches!(result, Err(ScriptError::Cancelled)), "{result:?}");
    assert!(ended.exists(), "it was killed in the middle");
}

#[tokio::test]
async fn cancelled_script_returns_soon() {
    let scripts = Scripts::new();
    let begun = Instant::now();
    let (result, ()) = tokio::join!(scripts.run("sleep 60", LIMIT), async {
        scripts.cancel.send(true).unwrap();
    });
    assert!(matches!(result, Err(ScriptError::Cancelled)), "{result:?}");
    assert!(begun.elapsed() < LIMIT);
}

#[tokio::test]
async fn flood_of_output_is_bounded() {
    let scripts = Scripts::new();
    let ran = scripts
        .run("yes word | head -c 3000000", LIMIT)
        .await
        .unwrap();
    assert_eq!(ran.stdout.len(), 4096);
}

#[tokio::test]
async fn shells_may_open_their_output_anew() {
    let scripts = Scripts::new();
    let body = "echo one >/dev/stderr; echo two >>/dev/stdout; echo three | tee /dev/stderr";
    let ran = scripts.run(body, LIMIT).await.unwrap();
    assert!(ran.status.success(), "{ran:?}");
    assert_eq!(ran.stdout, "two\nthree\n");
    assert_eq!(ran.stderr, "three\n");
}

#[tokio::test]
async fn service_left_behind_cannot_fill_memory() {
    let scripts = Scripts::new();
    let path = |name: &str| scripts.directory.path().join(name);
    let (over, told) = (path("over"), path("told"));
    let body = format!(
        "(until [ -e {} ]; do sleep 0.01; done; echo word 2>/dev/null; echo $? >{}) &",
        over.display(),
        told.display()
    );
    scripts.run(&body, LIMIT).await.unwrap();
    std::fs::write(over, "").unwrap();
    let failed = async {
        while std::fs::read_to_string(&told)
            .unwrap_or_default()
            .is_empty()
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LIMIT, failed).await.unwrap();
    let code = std::fs::read_to_string(told).unwrap();
    assert_ne!(
        code.trim(),
        "0",
        "it fails, and the shell lives on to say so"
    );
}
