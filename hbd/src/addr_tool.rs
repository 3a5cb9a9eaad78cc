//! `hbd resource IPaddr[2] ARGUMENT… start|stop|status|monitor`: what the shipped resource scripts
//! call, so that a script and the built-in resource do the same thing.
//!
//! Holds nothing and watches nothing: that is the daemon's business. Announcements after the first
//! are left to a process of its own, so that the script need not wait for them.

use crate::announce::{ANNOUNCED_AFTER, Announcer};
use crate::cli::exit;
use crate::resources::builtin::{AddressResource, Addresses};
use crate::resources::kernel::Kernel;
use anyhow::{Context, bail};
use std::ffi::OsString;
use std::process::{Command, Stdio};

/// The first word of the command line that leads here.
pub const COMMAND: &str = "resource";
/// The action of the background process.
const ANNOUNCE: &str = "announce";
/// The answer to a status question when the address is absent: LSB "not running".
const NOT_RUNNING: u8 = 3;
/// The same in OCF's words, for `monitor`.
const OCF_NOT_RUNNING: u8 = 7;

const USAGE: &str = "usage: hbd resource IPaddr|IPaddr2 IP[/MASK[/INTERFACE[:LABEL]][/BROADCAST]] \
                     start|stop|status|monitor";

/// Runs the tool with the words after `resource`; the exit code.
pub fn run(words: impl Iterator<Item = OsString>) -> u8 {
    let words: Option<Vec<String>> = words.map(|word| word.into_string().ok()).collect();
    let words = words.unwrap_or_default();
    let [script, args @ .., action] = words.as_slice() else {
        eprintln!("{USAGE}");
        return exit::USAGE;
    };
    let Some(resource) = AddressResource::of(script.clone(), script, args) else {
        eprintln!("{USAGE}");
        return exit::USAGE;
    };
    match perform(resource, action) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{script}: {action}: {error:#}");
            exit::FAILED
        }
    }
}

fn perform(resource: AddressResource, action: &str) -> anyhow::Result<u8> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("runtime")?
        .block_on(async {
            let (announcer, _) = Announcer::new();
            let kernel = Kernel::connect()?;
            let addresses = Addresses { kernel, announcer };
            let resource = std::slice::from_ref(&resource);
            match action {
                "start" => {
                    addresses
                        .start(resource)
                        .await
                        .map_err(|failed| failed.why)?;
                    announce_in_background();
                    Ok(exit::OK)
                }
                "stop" => {
                    addresses
                        .stop(resource)
                        .await
                        .map_err(|failed| failed.why)?;
                    Ok(exit::OK)
                }
                "status" => Ok(status(&addresses, resource, NOT_RUNNING).await?),
                "monitor" => Ok(status(&addresses, resource, OCF_NOT_RUNNING).await?),
                // Adopts the address, which announces it, and stays until the last repetition.
                ANNOUNCE => {
                    let there = addresses.status(resource).await?;
                    if there.contains(&true) {
                        addresses
                            .start(resource)
                            .await
                            .map_err(|failed| failed.why)?;
                        tokio::time::sleep(ANNOUNCED_AFTER).await;
                    }
                    Ok(exit::OK)
                }
                _ => bail!("{USAGE}"),
            }
        })
}

/// Answers in the words that the old and the new manager look for.
async fn status(
    addresses: &Addresses,
    resource: &[AddressResource],
    not_running: u8,
) -> anyhow::Result<u8> {
    let there = addresses.status(resource).await?;
    if there.contains(&true) {
        println!("Running OK");
        Ok(exit::OK)
    } else {
        println!("Resource is stopped");
        Ok(not_running)
    }
}

/// Starts ourselves with the last word replaced, in a process group of its own and without our
/// output, so that nobody waits for it. Without it the first announcement must do.
fn announce_in_background() {
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    let mut words: Vec<OsString> = std::env::args_os().skip(1).collect();
    words.pop();
    let mut command = Command::new(program);
    command
        .args(words)
        .arg(ANNOUNCE)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let _ = command.spawn();
}
