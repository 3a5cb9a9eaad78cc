//! Words that virtual server, real server and check have in common.

use super::model::Defaults;
use super::report::Report;
use super::tree::Statement;

/// Of a word that has no meaning here.
pub(super) const UNKNOWN: &str = "not known here and not taken over";

/// The words that virtual server, real server and check have in common.
pub(super) fn shared(defaults: &mut Defaults, statement: &Statement, report: &mut Report) -> bool {
    match statement.key() {
        "delay_loop" => defaults.interval = statement.seconds(),
        "retry" | "nb_get_retry" => defaults.retries = statement.number(),
        "connect_timeout" | "misc_timeout" => defaults.timeout = statement.seconds(),
        "weight" => defaults.weight = statement.number(),
        "inhibit_on_failure" => defaults.inhibit = statement.value() != Some("false"),
        // ldird always does what alpha asks for, and spreads checks by itself.
        "alpha" | "warmup" => {}
        "delay_before_retry" => {
            let advice = "a failed check is repeated after checkinterval; with failurecount \
                a failure is found that much later or sooner";
            report.remark(&statement.place, statement.shown(), advice);
        }
        "smtp_alert" | "no_smtp_alert" => {}
        _ => return false,
    }
    true
}
