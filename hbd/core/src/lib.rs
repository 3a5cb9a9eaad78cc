//! hbd-core
