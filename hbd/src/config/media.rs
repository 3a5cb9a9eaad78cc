//! Directives that make media: `bcast` and `ucast`, which this release honours, and the others,
//! whose arguments are checked all the same.

use hbd_core::config::LinkConfig;
use std::net::{SocketAddr, SocketAddrV4};

/// A way for heartbeats to travel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediumSpec {
    /// UDP broadcast on an interface.
    Bcast { interface: String, port: u16 },
    /// UDP to one peer; also the local port is that of `peer`.
    Ucast { interface: String, peer: SocketAddr },
}

impl MediumSpec {
    /// The directive that makes it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Bcast { .. } => "bcast",
            Self::Ucast { .. } => "ucast",
        }
    }

    /// The interface it uses.
    pub fn device(&self) -> &str {
        match self {
            Self::Bcast { interface, .. } | Self::Ucast { interface, .. } => interface,
        }
    }

    /// As the core knows it.
    pub fn link(&self) -> LinkConfig {
        LinkConfig {
            medium: self.name().to_owned(),
            device: self.device().to_owned(),
        }
    }
}
