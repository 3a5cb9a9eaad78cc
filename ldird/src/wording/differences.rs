//! What somebody else changed in the table, field by field.

use ldird_core::output::Enforced;
use ldird_core::table::{DestinationSpec, ServiceSpec};

/// `10.0.0.1:80 was changed by somebody else (weight 7 instead of 1)`
pub(super) fn of(what: &Enforced) -> String {
    match what {
        Enforced::Service { found, wanted } => {
            let differences = of_service(found, wanted);
            format!("was changed by somebody else ({differences})")
        }
        Enforced::Real {
            real,
            found,
            wanted,
        } => {
            let differences = of_real(found, wanted);
            format!("{real} was changed by somebody else ({differences})")
        }
        Enforced::Stranger(real) => format!("{real} was added by somebody else"),
    }
}

fn of_service(found: &ServiceSpec, wanted: &ServiceSpec) -> String {
    let persistence = |spec: &ServiceSpec| match spec.persistent {
        Some(seconds) => format!("{seconds} s"),
        None => "none".to_owned(),
    };
    let flags = |spec: &ServiceSpec| {
        let flags = ["1", "2", "3"].into_iter().zip(spec.scheduler_flags);
        let set: Vec<&str> = flags
            .filter_map(|(flag, set)| set.then_some(flag))
            .collect();
        if set.is_empty() {
            "none".to_owned()
        } else {
            set.join(",")
        }
    };
    let engine = |spec: &ServiceSpec| spec.pe.clone().unwrap_or_else(|| "none".to_owned());
    let ops = |spec: &ServiceSpec| if spec.one_packet { "yes" } else { "no" }.to_owned();
    list(&[
        (
            "scheduler",
            found.scheduler.clone(),
            wanted.scheduler.clone(),
        ),
        ("persistence", persistence(found), persistence(wanted)),
        (
            "netmask",
            format!("/{}", found.netmask),
            format!("/{}", wanted.netmask),
        ),
        ("flags", flags(found), flags(wanted)),
        ("ops", ops(found), ops(wanted)),
        ("engine", engine(found), engine(wanted)),
    ])
}

fn of_real(found: &DestinationSpec, wanted: &DestinationSpec) -> String {
    let threshold = |limit: u32| limit.to_string();
    let tunnel = |spec: &DestinationSpec| format!("{:?}", spec.tunnel).to_lowercase();
    list(&[
        (
            "weight",
            found.weight.to_string(),
            wanted.weight.to_string(),
        ),
        (
            "forwarding",
            found.forwarding.to_string(),
            wanted.forwarding.to_string(),
        ),
        (
            "upper threshold",
            threshold(found.upper),
            threshold(wanted.upper),
        ),
        (
            "lower threshold",
            threshold(found.lower),
            threshold(wanted.lower),
        ),
        ("tunnel", tunnel(found), tunnel(wanted)),
    ])
}

/// `weight 7 instead of 1, forwarding masq instead of gate`
fn list(fields: &[(&str, String, String)]) -> String {
    let differing = fields.iter().filter(|(_, found, wanted)| found != wanted);
    let texts =
        differing.map(|(name, found, wanted)| format!("{name} {found} instead of {wanted}"));
    texts.collect::<Vec<_>>().join(", ")
}
