//! Directives whose arguments are neither a single value nor a medium: `node`, `auto_failback`,
//! `env`, `pacemaker`, and the grammars of those that this release checks and ignores.

use super::draft::Given;
use super::parser::Parser;
use super::value;
use ha_plumbing::{Diagnostic, Word};
use hbd_core::config::{Failback, MAX_NODES, NodeName};

/// Bytes of all `env` variables together: far below what the kernel hands to a script.
const MAX_ENVIRONMENT: usize = 64 * 1024;

/// One node name.
pub(super) fn node(parser: &mut Parser<'_>, word: Word<'_>) {
    let Some(name) = NodeName::new(word.text) else {
        let longest = NodeName::MAX_BYTES;
        let message = format!(
            "node: {} is not a node name of 1 to {longest} bytes",
            word.text
        );
        parser.error(word.span, message);
        return;
    };
    let nodes = &parser.draft.nodes;
    if let Some(first) = nodes.iter().find(|node| node.value == name) {
        let message = format!("node {name} is named already in line {}", first.span.line);
        parser.warning(word.span, message);
    } else if nodes.len() + parser.draft.pings.len() >= MAX_NODES {
        parser.error(word.span, too_many_nodes());
    } else {
        parser.draft.nodes.push(Given {
            value: name,
            span: word.span,
        });
    }
}

/// Ping nodes count as well.
pub(super) fn too_many_nodes() -> String {
    format!("more than {MAX_NODES} nodes")
}

pub(super) fn auto_failback(parser: &mut Parser<'_>, word: Word<'_>) {
    let value = match value::boolean(word.text) {
        Some(true) => Failback::On,
        Some(false) => Failback::Off,
        None if word.text.eq_ignore_ascii_case("legacy") => Failback::Legacy,
        None => {
            let message = format!("auto_failback: {} is none of on, off, legacy", word.text);
            parser.error(word.span, message);
            return;
        }
    };
    parser.draft.auto_failback = Some(Given {
        value,
        span: word.span,
    });
}

/// `NAME=VALUE`: the variable `HA_NAME` of scripts.
pub(super) fn env(parser: &mut Parser<'_>, word: Word<'_>) {
    match word.text.split_once('=') {
        Some((name, value)) if !name.is_empty() => {
            let variable = format!("HA_{name}");
            let all = parser.draft.environment.iter();
            let bytes: usize = all.map(|(name, value)| name.len() + value.len()).sum();
            if bytes + word.text.len() > MAX_ENVIRONMENT {
                let message = format!("env: more than {MAX_ENVIRONMENT} bytes in all");
                parser.error(word.span, message);
                return;
            }
            parser.draft.environment.insert(variable, value.to_owned());
        }
        Some(_) => parser.error(word.span, format!("env: {} is not NAME=VALUE", word.text)),
        None => {
            let message = format!("env: {} is not NAME=VALUE and has no effect", word.text);
            parser.warning(word.span, message);
        }
    }
}

pub(super) fn pacemaker(parser: &mut Parser<'_>, word: Word<'_>) {
    resource_manager("pacemaker", parser, word);
}

pub(super) fn crm(parser: &mut Parser<'_>, word: Word<'_>) {
    resource_manager("crm", parser, word);
}

/// Anything but off means that haresources is not used. That is one plain verdict, and what else such a
/// file says is not looked at: see `load`.
fn resource_manager(directive: &str, parser: &mut Parser<'_>, word: Word<'_>) {
    const MODES: [&str; 5] = ["minimal", "manual", "respawn", "ccm-only", "valgrind"];
    let text = word.text;
    let on = match value::boolean(text) {
        Some(on) => on,
        None if MODES.iter().any(|mode| text.eq_ignore_ascii_case(mode)) => true,
        None => {
            parser.error(
                word.span,
                format!("{directive}: {text} is neither on nor off"),
            );
            return;
        }
    };
    if !on {
        return;
    }
    parser.draft.pacemaker = Some(Given {
        value: (),
        span: word.span,
    });
}

/// `TYPE FILE`
pub(super) fn stonith(parser: &mut Parser<'_>, words: &[Word<'_>]) {
    if let [only] = words {
        parser.error(
            only.span,
            "stonith needs a device type and a configuration file",
        );
    }
}

/// `HOST TYPE PARAMETER…`
pub(super) fn stonith_host(parser: &mut Parser<'_>, words: &[Word<'_>]) {
    if let [only] = words {
        // Heartbeat looks no further than at the host, unless that is meant.
        parser.warning(
            only.span,
            "stonith_host needs a host or `*`, and a device type",
        );
    }
}

/// `USER PROGRAM ARGUMENT…`. Every program is named, for each is missed by somebody.
pub(super) fn respawn(parser: &mut Parser<'_>, words: &[Word<'_>]) {
    /// Those that have groups moved, or keep them from moving.
    const MOVERS: [&str; 2] = ["ipfail", "dopd"];
    match words {
        [_, program, ..] if program.text.starts_with('/') => {
            let message = format!(
                "{} is not started in this release: client programs are the service manager's \
                 business",
                program.text
            );
            let name = program.text.rsplit('/').next().unwrap_or_default();
            let fault = Diagnostic::warning(message);
            let fault = match name {
                name if MOVERS.contains(&name) => fault
                    .hint("it had a say in where groups run, which nobody has in its place")
                    .ownership(),
                _ => fault,
            };
            parser.push(fault, program.span);
        }
        [_, program, ..] => {
            let message = format!("{} is not an absolute path", program.text);
            parser.error(program.span, message);
        }
        [only] => parser.error(only.span, "a user and a program are needed"),
        [] => {}
    }
}

/// `CLIENT [uid=A,B] [gid=C,D]`
pub(super) fn apiauth(parser: &mut Parser<'_>, words: &[Word<'_>]) {
    let Some((client, lists)) = words.split_first() else {
        return;
    };
    if lists.is_empty() {
        let message = format!("apiauth {}: uid= or gid= is needed", client.text);
        parser.error(client.span, message);
    }
    for list in lists {
        let named = ["uid=", "gid="]
            .iter()
            .find_map(|key| list.text.strip_prefix(key));
        if named == Some("") {
            let message = format!("apiauth: {} names nobody", list.text);
            parser.warning(list.span, message);
        } else if named.is_none() {
            let message = format!("apiauth: {} is neither uid=… nor gid=…", list.text);
            parser.error(list.span, message);
        }
    }
    if !parser.clients.insert(client.text.to_owned()) {
        let message = format!("apiauth: client {} is listed twice", client.text);
        parser.error(client.span, message);
    }
}
