//! A fresh network namespace with an interface, a client in it, and ipvsadm to ask.

use std::io::{self, Write as _};
use std::process::{Command, Output, Stdio};

use ldird_ipvs::{Client, Error};

/// Runs a test in a namespace of its own, or says why it cannot.
pub(crate) fn in_kernel(test: impl AsyncFnOnce(&mut Client)) {
    if let Err(reason) = try_in_kernel(test) {
        let required = std::env::var_os("LAB_KERNEL").is_some_and(|value| value == "1");
        assert!(!required, "LAB_KERNEL=1, but {reason}");
        println!("skipped: {reason}");
    }
}

fn try_in_kernel(test: impl AsyncFnOnce(&mut Client)) -> Result<(), String> {
    enter_namespace().map_err(|fault| format!("no network namespace of its own: {fault}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut client = match Client::connect().await {
            Ok(client) => client,
            Err(error @ Error::ModuleMissing { .. }) => return Err(error.to_string()),
            Err(error) => panic!("{error}"),
        };
        match client.info().await {
            Ok(_) => {}
            Err(error @ Error::NotPermitted { .. }) => return Err(error.to_string()),
            Err(error) => panic!("{error}"),
        }
        run("ipvsadm", "--version").map_err(|fault| format!("ipvsadm does not run: {fault}"))?;
        for line in [
            "link set lo up",
            "link add lab0 type dummy",
            "addr add 10.0.0.1/24 dev lab0",
            "link set lab0 up multicast on",
        ] {
            let output = run("ip", line).map_err(|fault| format!("ip does not run: {fault}"))?;
            assert!(output.status.success(), "ip {line}: {output:?}");
        }
        test(&mut client).await;
        Ok(())
    })
}

/// Moves this thread, and with it the programs that it starts, into a new network namespace, which
/// lasts as long as they do.
fn enter_namespace() -> io::Result<()> {
    #[expect(unsafe_code, reason = "the standard library cannot enter a namespace")]
    // SAFETY: unshare takes flags and touches no memory of ours.
    let status = unsafe { libc::unshare(libc::CLONE_NEWNET) };
    if status == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn run(program: &str, arguments: &str) -> io::Result<Output> {
    let mut command = Command::new(program);
    command
        .args(arguments.split_ascii_whitespace())
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin");
    command.output()
}

/// What ipvsadm prints.
pub(crate) fn ipvsadm(arguments: &str) -> String {
    let output = run("ipvsadm", arguments).unwrap();
    assert!(output.status.success(), "ipvsadm {arguments}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Has ipvsadm carry out the lines of a saved table.
pub(crate) fn ipvsadm_reads(lines: &str) {
    let mut child = Command::new("ipvsadm")
        .arg("-R")
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(lines.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.is_empty(),
        "{said}\n{lines}"
    );
}
