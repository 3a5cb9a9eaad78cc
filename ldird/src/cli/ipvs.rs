//! The words behind `ldird ipvs`: ipvsadm's own options of listing, as operators type them.

use ldird_ipvs::ServiceId;
use ldird_ipvs::text::{self, Columns, Numbers};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ipvs {
    List(Listing),
    Save,
    /// From standard input; `clear`: in place of what is there.
    Restore {
        clear: bool,
    },
    Clear,
    /// The words behind it are in the invocation's `more`.
    Daemon,
}

/// What a listing shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listing {
    /// The table, or one service of it.
    Table {
        columns: Columns,
        service: Option<ServiceId>,
    },
    /// Connections; with what persistence engines keep of them.
    Connections { engines: bool },
    /// Time-outs of connections.
    Timeouts,
    /// Daemons of connection synchronisation.
    Daemons,
}

/// Reads the words; what is wrong with them otherwise.
pub(super) fn read(words: &[&str]) -> Result<Ipvs, String> {
    match words {
        ["list", options @ ..] => listing(options).map(Ipvs::List),
        ["save", options @ ..] => {
            let stranger = options.iter().find(|word| !is_numeric(word));
            stranger.map_or(Ok(Ipvs::Save), |word| Err(unknown("save", word)))
        }
        ["restore"] => Ok(Ipvs::Restore { clear: false }),
        ["restore", "--clear"] => Ok(Ipvs::Restore { clear: true }),
        ["clear"] => Ok(Ipvs::Clear),
        ["daemon"] => Ok(Ipvs::Daemon),
        [what @ ("restore" | "clear"), word, ..] => Err(unknown(what, word)),
        [] => Err("ipvs: list, save, restore, clear or daemon is missing".to_owned()),
        [word, ..] => Err(format!(
            "ipvs: {word} is none of list, save, restore, clear and daemon"
        )),
    }
}

fn unknown(what: &str, word: &str) -> String {
    format!("ipvs {what}: what is {word}?")
}

/// Numbers are all there is.
fn is_numeric(word: &str) -> bool {
    matches!(word, "-n" | "--numeric")
}

#[derive(Default)]
struct Words<'a> {
    /// Words that say what is shown; at most one, but for `-c --persistent-conn`.
    shown: Vec<&'a str>,
    exact: bool,
    service: Vec<&'a str>,
}

fn listing(words: &[&str]) -> Result<Listing, String> {
    let mut found = Words::default();
    let mut words = words.iter();
    while let Some(&word) = words.next() {
        match word {
            "--connection" | "--timeout" | "--daemon" | "--stats" | "--rate" | "--thresholds"
            | "--persistent-conn" | "--tun-info" => found.shown.push(word),
            "--exact" => found.exact = true,
            // The order is always ipvsadm's own.
            "--sort" | "--numeric" => {}
            "-t" | "-u" | "-f" | "--tcp-service" | "--udp-service" | "--sctp-service"
            | "--fwmark-service" => {
                found.service.push(word);
                found.service.extend(words.next());
            }
            "-6" | "--ipv6" => found.service.push(word),
            // `-nc`: flags in one word.
            _ => match word.strip_prefix('-') {
                Some(flags)
                    if !flags.is_empty() && flags.chars().all(|flag| "nc".contains(flag)) =>
                {
                    if flags.contains('c') {
                        found.shown.push("--connection");
                    }
                }
                _ => return Err(unknown("list", word)),
            },
        }
    }
    found.listing()
}

impl Words<'_> {
    fn listing(&self) -> Result<Listing, String> {
        let numbers = if self.exact {
            Numbers::Exact
        } else {
            Numbers::Units
        };
        let columns = match self.shown.as_slice() {
            [] => Columns::Normal,
            ["--stats"] => Columns::Stats(numbers),
            ["--rate"] => Columns::Rate(numbers),
            ["--thresholds"] => Columns::Thresholds,
            ["--persistent-conn"] => Columns::PersistentConnections,
            ["--tun-info"] => Columns::Tunnels,
            alone => return self.alone(alone),
        };
        Ok(Listing::Table {
            columns,
            service: self.service()?,
        })
    }

    /// What is no table has no service and no columns.
    fn alone(&self, shown: &[&str]) -> Result<Listing, String> {
        if let Some(word) = self.service.first() {
            return Err(format!(
                "ipvs list: {word} does not go with {}",
                shown.join(" ")
            ));
        }
        match shown {
            ["--connection"] => Ok(Listing::Connections { engines: false }),
            ["--connection", "--persistent-conn"] | ["--persistent-conn", "--connection"] => {
                Ok(Listing::Connections { engines: true })
            }
            ["--timeout"] => Ok(Listing::Timeouts),
            ["--daemon"] => Ok(Listing::Daemons),
            more => Err(format!(
                "ipvs list: {} do not go together",
                more.join(" and ")
            )),
        }
    }

    fn service(&self) -> Result<Option<ServiceId>, String> {
        if self.service.is_empty() {
            return Ok(None);
        }
        let read = text::parse_service(&self.service.join(" "));
        let service =
            read.map_err(|fault| format!("ipvs list: {}: {}", fault.token, fault.problem))?;
        Ok(Some(service))
    }
}

#[cfg(test)]
mod tests;
