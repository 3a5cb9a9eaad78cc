//! Reads a configuration directory: ha.cf, then authkeys, then the checks across directives, then
//! haresources, in the old daemon's order, and reports every fault of all of them.

use super::checks::{self, Checked};
use super::draft::Draft;
use super::files::{read, unreadable};
use super::host::Host;
use super::loaded::Loaded;
use super::medium::MediumSpec;
use super::{authkeys, ha_cf, handlers, haresources};
use ha_plumbing::{Diagnostic, Diagnostics, Source};
use std::io;
use std::net::IpAddr;
use std::path::Path;

/// What is not in the files.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Stands for `nodeinfo` and `uname -n`.
    pub node: Option<&'a str>,
    pub host: &'a dyn Host,
}

/// Reads the files of `etc`. The error holds at least one error, and every warning.
pub fn load(etc: &Path, options: Options<'_>) -> Result<Loaded, Diagnostics> {
    let mut found = Diagnostics::new();
    let path = etc.join("ha.cf");
    let source = read(&path).map_err(|fault| *fault)?;
    let draft = ha_cf::parse(&source, options.host, &mut found);
    if let Some(given) = &draft.pacemaker {
        return Err(pacemaker().at(&source, given.span).into());
    }
    let keys = authkeys::load(&etc.join("authkeys"), &mut found);
    let local = local_name(etc, options, &draft, &mut found);
    let checked = checks::check(draft, &source, local.as_deref(), &mut found);
    let peers: Vec<IpAddr> = checked.media.iter().filter_map(MediumSpec::peer).collect();
    let context = haresources::Context {
        nodes: &checked.nodes,
        peers: &peers,
        builtin: checked.builtin,
    };
    let resources = haresources::load(&etc.join("haresources"), context, &mut found);
    handlers::check(etc, &mut found);
    match (keys, checked.local.clone()) {
        (Some(keys), Some(local)) if !found.has_errors() => Ok(assemble(
            checked,
            local,
            keys,
            resources.unwrap_or_default(),
            found,
        )),
        _ => Err(found),
    }
}

/// One plain verdict: such a cluster is none of ours, whatever else its files say.
fn pacemaker() -> Diagnostic {
    Diagnostic::error(
        "the resources of this cluster are Pacemaker's: haresources is not used, and hbd neither \
         starts Pacemaker nor replaces it",
    )
    .hint("for hbd write `pacemaker off` and the groups into haresources")
}

fn assemble(
    checked: Checked,
    local: hbd_core::config::NodeName,
    keys: hbd_core::wire::Keys,
    resources: haresources::Resources,
    warnings: Diagnostics,
) -> Loaded {
    Loaded {
        local,
        nodes: checked.nodes,
        cluster: checked.cluster,
        timing: checked.timing,
        hopfudge: checked.hopfudge,
        failback: checked.failback,
        uuid_from: checked.uuid_from,
        generation_from: checked.generation_from,
        media: checked.media,
        pings: checked.pings,
        keys,
        groups: resources.groups,
        haresources_digest: resources.digest,
        logging: checked.logging,
        log_badpack: checked.log_badpack,
        realtime: checked.realtime,
        builtin: checked.builtin,
        script_limits: checked.script_limits,
        environment: checked.environment,
        warnings,
    }
}

/// The local node's name: the option, else the first line of `nodeinfo` if that ends in a line
/// feed, else `uname -n` (Heartbeat specification 4.1). For another machine without a name given,
/// whichever node comes first.
fn local_name(
    etc: &Path,
    options: Options<'_>,
    draft: &Draft,
    found: &mut Diagnostics,
) -> Option<String> {
    if let Some(name) = options.node {
        return Some(name.to_owned());
    }
    let path = etc.join("nodeinfo");
    match Source::read(&path) {
        Ok(source) => {
            if let Some((name, _)) = source.text().split_once('\n') {
                return Some(name.trim().to_owned());
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => found.push(unreadable(&path, &error)),
    }
    if options.host.is_elsewhere() {
        let first = draft.nodes.first();
        return first.map(|node| node.value.to_string());
    }
    Some(options.host.name())
}
