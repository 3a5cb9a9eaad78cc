//! The command line.

use clap::Parser;
use std::path::PathBuf;

/// Live view of a pair of directors: nodes, links, resource groups, virtual services and real
/// servers, and what happened to them.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Options {
    /// Directory of the status sockets
    #[arg(long, value_name = "DIR", default_value = "/run/heartbeat")]
    pub(crate) run: PathBuf,

    /// Status socket of hbd [default: RUN/hbd.sock]
    #[arg(long, value_name = "SOCKET")]
    pub(crate) hbd: Option<PathBuf>,

    /// Status socket of an ldird; may be repeated [default: every RUN/ldird.*.sock]
    #[arg(long, value_name = "SOCKET")]
    pub(crate) ldird: Vec<PathBuf>,

    /// Look only: standby and takeover are disabled
    #[arg(long)]
    pub(crate) read_only: bool,

    /// Print one frame as text and end; exit 1 if nobody answered
    #[arg(long, conflicts_with_all = ["json", "svg"])]
    pub(crate) once: bool,

    /// Print everything that the sockets say as one JSON value and end
    #[arg(long, conflicts_with = "svg")]
    pub(crate) json: bool,

    /// Draw one frame as a picture and end
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,

    /// Columns of --once and --svg [default: the terminal's, else 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(20..=1000))]
    pub(crate) width: Option<u16>,

    /// Rows of --once and --svg [default: the terminal's, else 30]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(5..=1000))]
    pub(crate) height: Option<u16>,
}

impl Options {
    pub(crate) fn hbd_socket(&self) -> PathBuf {
        self.hbd
            .clone()
            .unwrap_or_else(|| self.run.join("hbd.sock"))
    }
}
