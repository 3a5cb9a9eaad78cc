//! One story each, told on a perfect network: how long things take, what is said and to whom.

#![allow(clippy::unwrap_used)]

mod differences;
mod failures;
mod life;
mod links;
mod moves;
mod opinions;
#[path = "../pair/mod.rs"]
mod pair;
mod partitions;
mod pings;
mod ring;
mod timings;

use hbd_core::config::GroupId;
use hbd_core::output::Output;
use std::time::Duration;

const GROUP: GroupId = pair::group_id(0);

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn is_start(output: &Output) -> bool {
    matches!(output, Output::Start(_))
}

fn is_stop(output: &Output) -> bool {
    matches!(output, Output::Stop(_) | Output::LetGo(_))
}
