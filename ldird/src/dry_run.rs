//! `ldird run --dry-run`: a director that checks and decides as always, and touches nothing. Its
//! table is in memory, so it runs where the kernel has no IPVS, too: on the desk of who writes the
//! file, or on a machine that is to show what checks of so many servers cost.
//!
//! Its socket and files have a folder of their own, so that it may run beside the director of the
//! same file, and no command takes it for that one. No mail, no command, no monitor file, no
//! synchronisation of connections.

use crate::apply::{Counters, Kernel, Order, Outcome};
use crate::config::{Configuration, Operations};
use crate::instance::Instance;
use ldird_core::diff;
use ldird_core::table::Table;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// Below the run folder.
const FOLDER: &str = "ldird.dry-run";
/// As many as the kernel's task takes.
const ORDERS_MAX: usize = 5;

/// The same configuration's director, in a folder of its own, which is made.
pub(crate) fn instance(instance: &Instance) -> std::io::Result<Instance> {
    let run = instance.run.join(FOLDER);
    std::fs::create_dir_all(&run)?;
    Ok(instance.in_folder(run))
}

/// Without what is done beside the table.
pub(crate) fn harmless(mut configuration: Configuration) -> Configuration {
    configuration.operations = Operations::default();
    configuration.sync = None;
    configuration
}

/// A table in memory that takes every edit. Needs a runtime.
pub(crate) fn kernel(table: Arc<Mutex<Table>>) -> Kernel {
    let (orders, mut inbox) = mpsc::channel(ORDERS_MAX);
    let (outbox, outcomes) = mpsc::channel(ORDERS_MAX);
    tokio::spawn(async move {
        while let Some(order) = inbox.recv().await {
            let outcome = carry_out(
                &mut table.lock().unwrap_or_else(PoisonError::into_inner),
                order,
            );
            if outbox.send(outcome).await.is_err() {
                return;
            }
        }
    });
    Kernel::from_parts(orders, outcomes)
}

fn carry_out(table: &mut Table, order: Order) -> Outcome {
    match order {
        Order::Read => Outcome::Read(Ok((table.clone(), Counters::new()))),
        Order::ReadServices(keys) => {
            let rows = keys.into_iter();
            let rows = rows.map(|key| (key, table.get(&key).cloned()));
            Outcome::ReadServices(Ok(rows.collect()))
        }
        Order::List => Outcome::Listed(Ok(table.keys().copied().collect())),
        Order::Count => Outcome::Counted(Ok(Counters::new())),
        Order::SetTimeouts(_) => Outcome::TimeoutsSet(Ok(())),
        Order::Apply(edits) => {
            let results = edits.into_iter().map(|edit| {
                let made = diff::apply(table, &edit);
                let refused = || Err("the row is not as it was".to_owned());
                (edit, if made { Ok(()) } else { refused() })
            });
            Outcome::Applied(results.collect())
        }
    }
}
