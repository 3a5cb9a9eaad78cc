//! Checks that a command makes: what it is told of the server, in its arguments and its environment.

use super::Recipe;
use crate::config::given::{CheckType, Given};
use crate::probes::{Command, External, Probe};
use crate::process;
use ldird_core::table::ServiceKey;
use std::net::{IpAddr, SocketAddr};

impl Recipe {
    /// `real` as the file has it: its port may be 0.
    pub(super) fn external(&self, real: SocketAddr) -> Probe {
        let [virtual_address, virtual_port] = self.place.clone();
        let (address, port) = in_brackets(real);
        Probe::External(Box::new(External {
            command: self.command.clone(),
            arguments: [virtual_address, virtual_port, address, port],
            environment: self.origin(),
            timeout: self.timeouts.check,
        }))
    }

    /// A program that asks in our place finds in its environment what the file has for it.
    pub(super) fn helper(&self, target: SocketAddr) -> Probe {
        let [virtual_address, virtual_port] = self.place.clone();
        let (address, port) = in_brackets(target);
        let given = [
            ("CHECK_LOGIN", self.login.clone()),
            ("CHECK_PASSWD", self.passwd.clone()),
            ("CHECK_DATABASE", self.database.clone()),
            ("CHECK_REQUEST", Some(self.request.clone())),
        ];
        let given = given.into_iter();
        let given = given.filter_map(|(name, value)| Some((name, value?)));
        Probe::External(Box::new(External {
            command: self.command.clone(),
            arguments: [virtual_address, virtual_port, address, port],
            environment: given.chain(self.origin()).collect(),
            timeout: self.timeouts.negotiate,
        }))
    }

    /// A command cannot be bound from outside: it finds where it is to ask from.
    fn origin(&self) -> Vec<(&'static str, Vec<u8>)> {
        let Some(origin) = &self.frame.origin else {
            return Vec::new();
        };
        let mark = (origin.mark != 0).then(|| origin.mark.to_string());
        let said = [
            ("CHECK_SOURCE", origin.source.map(|one| one.to_string())),
            ("CHECK_DEVICE", origin.device.clone()),
            ("CHECK_MARK", mark),
        ];
        let said = said.into_iter();
        said.filter_map(|(name, value)| Some((name, value?.into_bytes())))
            .collect()
    }
}

/// What an external check runs; the old daemon's default where the file names nothing.
pub(super) fn command(given: &Given, checktype: Option<CheckType>) -> Command {
    let text = given.checkcommand.as_ref();
    let text = text.map_or("/bin/true", |at| at.value.as_str());
    if checktype == Some(CheckType::ExternalPerl) {
        Command::Perl(text.to_owned())
    } else {
        Command::Words(process::words(text))
    }
}

/// A virtual service as commands are told of it.
pub(super) fn place(key: ServiceKey) -> [String; 2] {
    match key {
        ServiceKey::Address { address, .. } => {
            let (address, port) = in_brackets(address);
            [address, port]
        }
        ServiceKey::Fwmark { mark, .. } => [mark.to_string(), "0".to_owned()],
    }
}

/// An address and its port; one of IPv6 stands in brackets.
fn in_brackets(address: SocketAddr) -> (String, String) {
    let port = address.port().to_string();
    match address.ip() {
        IpAddr::V4(address) => (address.to_string(), port),
        IpAddr::V6(address) => (format!("[{address}]"), port),
    }
}
