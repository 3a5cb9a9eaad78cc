//! ha-plumbing
