//! The words behind `ldird ipvs daemon`: ipvsadm's options of its synchronisation daemons, and what the
//! resource LVSSyncDaemonSwap does with them.

use ldird_ipvs::{SyncDaemon, SyncRole};
use std::net::IpAddr;
use std::str::FromStr;

/// Where the old script started one unless told otherwise.
const DEFAULT_INTERFACE: &str = "eth0";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DaemonOrder {
    List,
    Start(SyncDaemon),
    Stop(SyncRole),
    /// The resource: start is this role instead of the other one, stop the other way round.
    Swap {
        role: SyncRole,
        interface: String,
        action: Swap,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Swap {
    Start,
    Stop,
    Status,
}

/// Reads the words; what is wrong with them otherwise.
pub(crate) fn read(words: &[String]) -> Result<DaemonOrder, String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["list"] => Ok(DaemonOrder::List),
        ["start", role, options @ ..] => started(sync_role(role)?, options).map(DaemonOrder::Start),
        ["stop", role] => sync_role(role).map(DaemonOrder::Stop),
        ["swap", role, action] => swap(role, DEFAULT_INTERFACE, action),
        ["swap", role, interface, action] => swap(role, interface, action),
        _ => Err(
            "ipvs daemon: list, start master|backup --mcast-interface NAME, stop master|backup, \
             or swap master|backup [NAME] start|stop|status"
                .to_owned(),
        ),
    }
}

fn sync_role(word: &str) -> Result<SyncRole, String> {
    match word {
        "master" => Ok(SyncRole::Master),
        "backup" => Ok(SyncRole::Backup),
        other => Err(format!("ipvs daemon: {other} is neither master nor backup")),
    }
}

fn swap(role: &str, interface: &str, action: &str) -> Result<DaemonOrder, String> {
    let action = match action {
        "start" => Swap::Start,
        "stop" => Swap::Stop,
        "status" | "monitor" => Swap::Status,
        other => {
            return Err(format!(
                "ipvs daemon swap: {other} is none of start, stop and status"
            ));
        }
    };
    Ok(DaemonOrder::Swap {
        role: sync_role(role)?,
        interface: interface.to_owned(),
        action,
    })
}

fn started(role: SyncRole, options: &[&str]) -> Result<SyncDaemon, String> {
    let mut daemon = SyncDaemon::new(role, "", 0);
    let mut options = options.iter();
    while let Some(&option) = options.next() {
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (option, options.next().copied()),
        };
        let value = value.ok_or_else(|| format!("ipvs daemon start: {name} needs a value"))?;
        match name {
            "--mcast-interface" => value.clone_into(&mut daemon.interface),
            "--syncid" => daemon.sync_id = number(name, value)?,
            "--sync-maxlen" => daemon.max_length = number(name, value)?,
            "--mcast-port" => daemon.port = number(name, value)?,
            "--mcast-ttl" => daemon.ttl = number(name, value)?,
            "--mcast-group" => daemon.group = Some(number::<IpAddr>(name, value)?),
            other => return Err(format!("ipvs daemon start: what is {other}?")),
        }
    }
    if daemon.interface.is_empty() {
        return Err("ipvs daemon start: --mcast-interface NAME is missing".to_owned());
    }
    Ok(daemon)
}

fn number<T: FromStr>(name: &str, value: &str) -> Result<T, String> {
    let read = value.parse();
    read.map_err(|_| format!("ipvs daemon start: {name} cannot be {value}"))
}

#[cfg(test)]
mod tests;
