//! hbd beside the real heartbeat 3.0.6: without `auto_failback`, with either daemon on either node
//! and either started first, and one after the other on the same node with the same state.

mod legacy;
pub(super) mod node;
mod swap;

use super::{Case, Place};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "compatibility_of_hbd_with_heartbeat_without_auto_failback",
        place: Place::Here,
        run: legacy::run,
    },
    Case {
        name: "compatibility_of_hbd_with_the_state_that_heartbeat_left_and_back",
        place: Place::Here,
        run: swap::run,
    },
];
