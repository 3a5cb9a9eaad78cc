//! The words for packets that are late, lost or not believed.

use super::{Line, error, ms, warning};
use hbd_core::config::NodeName;
use std::ops::RangeInclusive;
use std::time::Duration;

pub(super) fn late(node: &NodeName, interval: Duration) -> Vec<Line> {
    warning(format!(
        "Late heartbeat: Node {node}: interval {}",
        ms(interval)
    ))
}

pub(super) fn replay(node: &NodeName, generation: u64, current: u64) -> Vec<Line> {
    error(format!(
        "should_drop_message: attempted replay attack [{node}]? \
         [gen = {generation}, curgen = {current}]"
    ))
}

pub(super) fn lost(node: &NodeName, count: u64, missing: RangeInclusive<u64>) -> Vec<Line> {
    let (from, to) = missing.into_inner();
    warning(format!("{count} lost packet(s) for [{node}] [{from}:{to}]"))
}

pub(super) fn gone(node: &NodeName, seq: u64) -> Vec<Line> {
    error(format!("Irretrievably lost packet: node {node} seq {seq}"))
}
