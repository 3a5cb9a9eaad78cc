//! A notice: one thing that happened, worded for an operator.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Wall clock, milliseconds since 1970.
    pub at_ms: u64,
    pub severity: Severity,
    /// One line without a line end, e.g. `node lb1: is dead`.
    pub text: String,
}

/// How loud a notice is, in syslog's sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
}
