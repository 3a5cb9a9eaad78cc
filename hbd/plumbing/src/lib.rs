//! What a daemon needs around its loop: configuration lines and diagnostics, logging, the service
//! manager, signals, real-time scheduling and the guarantee that only one instance runs.
//!
//! Shared by hbd and ldird. Knows nothing of clusters or virtual services.

pub mod conf;
pub mod diagnostic;
pub mod inherited;
pub mod lockfile;
pub mod log;
pub mod realtime;
pub mod service;
pub mod signals;

pub use conf::{Line, Source, Span, Word};
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
