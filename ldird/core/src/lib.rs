//! ldird-core
