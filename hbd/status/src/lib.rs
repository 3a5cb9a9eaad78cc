//! ha-status
