//! ldirectord.cf: the whole grammar of the old daemon, every fault at once.
//!
//! ```text
//!   lines ──► directives, virtual_server, real_server ──► given ──► expand (with resolve, checks)
//!   cut        what each line says                        as said    what it means
//! ```
//!
//! The result is a configuration of the core and the list of distinct checks. Nothing is opened,
//! created or changed here.

mod agent;
mod attributes;
mod checks;
mod directives;
mod expand;
mod framing;
mod given;
mod lines;
mod names;
mod operations;
mod options;
mod reading;
mod real_server;
mod report;
mod resolve;
mod settings;
mod sync;
mod values;
mod virtual_server;
mod words;

use crate::probes::{Catalogue, Probe};
use directives::Directive;
use given::{At, Faults, Given};
use ha_plumbing::log::Facility;
use ha_plumbing::{Diagnostic, Diagnostics, Source, Span, Word};
use ldird_core::config::{Config, ProbeId};
use ldird_core::sync::Settings;
use ldird_core::table::{DestinationKey, ServiceKey};
use ldird_ipvs::Timeouts;
use lines::{Place, Statement};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use virtual_server::VirtualLine;
use words::{rest, trimmed};

pub(crate) use given::Family;
pub(crate) use names::{Known, Name, Names};
pub(crate) use operations::{Mail, Operations, Signature};
pub(crate) use report::{prefix, report};

/// A configuration that can be run.
#[derive(Debug, Clone)]
pub(crate) struct Configuration {
    pub(crate) core: Config,
    /// How often names are asked for again; `None`: only by a reload.
    pub(crate) reresolve: Option<Duration>,
    /// Every probe that `core` names.
    pub(crate) probes: BTreeMap<ProbeId, Arc<Probe>>,
    pub(crate) log: LogTarget,
    /// Stay in the foreground, log to standard output.
    pub(crate) supervised: bool,
    /// Read the file again when it changes.
    pub(crate) autoreload: bool,
    /// How long the kernel remembers idle connections; `None` leaves that as it is.
    pub(crate) timeouts: Option<Timeouts>,
    /// How connections are synchronised with the other director; `None`: not at all.
    pub(crate) sync: Option<Settings>,
    /// A file named after a real server in here takes it out.
    pub(crate) maintenancedir: Option<PathBuf>,
    pub(crate) operations: Operations,
    /// The file as it was read, and the addresses of its names.
    source: Source,
    pub(crate) names: Names,
    /// Servers of `core` at addresses that are on trial.
    pub(crate) trials: Vec<Trial>,
}

/// A real server at the address that a name server says now, beside the one that works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trial {
    pub(crate) name: Name,
    pub(crate) service: ServiceKey,
    /// As it is in force, and as it may be.
    pub(crate) known: DestinationKey,
    pub(crate) tried: DestinationKey,
    /// Is there a check to pass?
    pub(crate) checked: bool,
}

/// Where the daemon logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LogTarget {
    File(PathBuf),
    Syslog(Facility),
}

/// Reads the file and then its content; an unreadable file is a diagnostic, too. Without a result
/// there is at least one error. Waits for name servers, though not long.
pub(crate) fn load(path: &Path, catalogue: &mut Catalogue) -> (Option<Configuration>, Diagnostics) {
    reload(path, Names::new(), catalogue)
}

/// As [`load`]; `names` remembers the addresses that were in force.
pub(crate) fn reload(
    path: &Path,
    names: Names,
    catalogue: &mut Catalogue,
) -> (Option<Configuration>, Diagnostics) {
    match Source::read(path) {
        Ok(source) => read_asking(&source, Asking::Now(names), catalogue),
        Err(error) => {
            let message = format!("cannot read the configuration: {error}");
            let fault = Diagnostic::error(message).in_file(path);
            (None, fault.into())
        }
    }
}

/// The configurations whose directors live and die with this file's, whatever else is wrong in it.
pub(crate) fn executes_of(path: &Path) -> Vec<String> {
    let Ok(source) = Source::read(path) else {
        return Vec::new();
    };
    let mut faults = Faults::new(&source);
    let file = File::read(&source, &mut faults);
    operations::executes(&file.global.executes, &mut faults)
}

impl Configuration {
    /// The same file once more, with addresses that came late.
    pub(crate) fn with_names(
        &self,
        names: Names,
        catalogue: &mut Catalogue,
    ) -> (Option<Configuration>, Diagnostics) {
        read_asking(&self.source, Asking::Done(names), catalogue)
    }

    /// What it comes to when those addresses have passed that were not on trial `before`; `None` where
    /// there are none.
    pub(crate) fn outcome(&self, before: &Names, catalogue: &Catalogue) -> Option<Config> {
        let new = self.names.newly_tried(before);
        if new.is_empty() {
            return None;
        }
        let names = self.names.clone().accept(&new);
        let (outcome, _) = self.with_names(names, &mut catalogue.clone());
        outcome.map(|outcome| outcome.core)
    }
}

/// Whether the file's names have been asked for.
enum Asking {
    Now(Names),
    Done(Names),
}

/// A file's content, without asking anybody on the network.
#[cfg(test)]
pub(crate) fn read(
    source: &Source,
    catalogue: &mut Catalogue,
) -> (Option<Configuration>, Diagnostics) {
    read_asking(source, Asking::Now(Names::asking(|_, _| None)), catalogue)
}

fn read_asking(
    source: &Source,
    asking: Asking,
    catalogue: &mut Catalogue,
) -> (Option<Configuration>, Diagnostics) {
    let (_, configuration, _, all) = read_parts(source, asking, catalogue);
    let usable = (!all.has_errors()).then_some(configuration);
    (usable, all)
}

/// The file as it stands, what it comes to, and of each service the number of its section.
fn read_parts(
    source: &Source,
    asking: Asking,
    catalogue: &mut Catalogue,
) -> (File, Configuration, Vec<usize>, Diagnostics) {
    let mut faults = Faults::new(source);
    let file = File::read(source, &mut faults);
    let names = match asking {
        Asking::Done(names) => names,
        Asking::Now(mut names) => {
            names.fix(expand::virtual_names_of(&file));
            names.try_out(expand::tried_names_of(&file));
            names.refresh(expand::names_of(&file));
            names
        }
    };
    let (configuration, numbers) = expand::expand(&file, &names, catalogue, &mut faults);
    // Where nothing is checked, nothing can be passed.
    let checked = |name: &Name| {
        let mut trials = configuration.trials.iter();
        trials.any(|trial| trial.name == *name && trial.checked)
    };
    let trials = configuration.trials.iter().map(|trial| &trial.name);
    let unchecked: Vec<Name> = trials.filter(|name| !checked(name)).cloned().collect();
    if !unchecked.is_empty() {
        let names = names.accept(&unchecked);
        return read_parts(source, Asking::Done(names), catalogue);
    }
    let mut all = Diagnostics::new();
    faults
        .into_sorted()
        .into_iter()
        .for_each(|one| all.push(one));
    if file.sections.is_empty() && !all.has_errors() {
        // The old daemon takes it, and on a reload purges everything: half a file, or none, is what
        // an editor or a full disk leaves for a moment.
        let fault = Diagnostic::error("there is no virtual service in it").in_file(source.path());
        all.push(fault.hint("a director without any is stopped with: ldird [CONFIG] stop"));
    }
    (file, configuration, numbers, all)
}

/// As [`reload`], and says as JSON what has been read.
pub(crate) fn explain(
    path: &Path,
    names: Names,
) -> (serde_json::Value, Option<Configuration>, Diagnostics) {
    let mut catalogue = Catalogue::default();
    let ports = &resolve::Ports::new();
    let Ok(source) = Source::read(path) else {
        let (configuration, all) = reload(path, names.clone(), &mut catalogue);
        let names = &names;
        let known = reading::Known { names, ports };
        let reading = reading::file(path, &Given::default(), &[], known, &all);
        return (reading, configuration, all);
    };
    let asking = Asking::Now(names);
    let (file, configuration, numbers, all) = read_parts(&source, asking, &mut catalogue);
    let services = configuration.core.services.iter();
    let pairs: Vec<_> = numbers
        .iter()
        .zip(services)
        .filter_map(|(number, service)| Some((file.sections.get(*number)?, service)))
        .collect();
    let names = &configuration.names;
    let known = reading::Known { names, ports };
    let reading = reading::file(path, &file.global, &pairs, known, &all);
    let usable = (!all.has_errors()).then_some(configuration);
    (reading, usable, all)
}

/// What the file says, unresolved.
#[derive(Debug)]
struct File {
    global: Given,
    sections: Vec<Section>,
}

/// A `virtual` line and what is indented below it.
#[derive(Debug)]
struct Section {
    family: Family,
    /// `None` if the line is wrong; its section is read all the same.
    line: Option<VirtualLine>,
    span: Span,
    given: Given,
}

/// The old daemon's words for every line that it does not expect; these say more. Equal ones are
/// shown once with their lines, so that one habit of a file is one fault.
const AFTER_BLANK: &str = "Unknown command: a section's line after an empty line";
const INDENTED: &str = "Unknown command: a virtual line that is indented";
const SHALLOW: &str = "Unknown command: a section's line that is indented too little";
const STRAY: &str = "Unknown command: an indented line outside of a section";

impl File {
    fn read(source: &Source, faults: &mut Faults<'_>) -> Self {
        let mut file = Self {
            global: Given::default(),
            sections: Vec::new(),
        };
        if let Some(line) = lines::first_return(source) {
            let message = "lines end in a carriage return; it is ignored";
            let hint = "the old daemon takes it for a part of some values: dos2unix makes it readable for both";
            faults.warning_with(line.span(), message, hint);
        }
        for statement in lines::statements(source) {
            file.read_statement(statement, faults);
        }
        if let Some(last) = lines::last_opens_section(source) {
            // It reads the line twice and finds its own virtual service there already.
            faults.tolerated(last.span(), "the file ends with a virtual line");
        }
        if let Some(fork) = file.global.fork.as_ref().filter(|fork| fork.value) {
            let message = "fork=yes: checks run side by side in one process, with or without it";
            faults.warning(fork.span, message);
        }
        file
    }

    fn read_statement(&mut self, statement: Statement<'_>, faults: &mut Faults<'_>) {
        let line = statement.text;
        if statement.inner_hash {
            let message = "a # between quotes is a part of the value";
            let hint = "the old daemon cuts the line there";
            faults.warning_with(line.span, message, hint);
        }
        match statement.place {
            Place::Global => self.read_global(line, faults),
            Place::Section => self.read_section(line, faults),
            Place::Leftovers => faults.tolerated(line.span, "a line of blanks in a section"),
            Place::AfterBlank(_) => {
                let hint = "an empty line ends a section: remove it or put a # there";
                faults.error_with(trimmed(line).span, AFTER_BLANK, hint);
                self.read_section(line, faults);
            }
            Place::Indented => {
                let hint = "remove the blanks before it; lines of its section keep at least 4";
                faults.error_with(trimmed(line).span, INDENTED, hint);
                self.read_global(line, faults);
            }
            Place::Shallow | Place::Stray => {
                let in_section = directives::find(directives::SECTION, name_of(line).text);
                let (message, hint) = match (in_section, statement.place, self.sections.last()) {
                    (Some(_), Place::Shallow, Some(_)) => (
                        SHALLOW,
                        "lines of a section are indented by a tab or at least 4 blanks",
                    ),
                    (Some(_), _, None) => (STRAY, "no virtual line stands above it"),
                    (Some(_), _, Some(_)) => (STRAY, "a global directive above ended the section"),
                    (None, _, _) => (STRAY, "global directives start in the first column"),
                };
                faults.error_with(trimmed(line).span, message, hint);
                if message == SHALLOW {
                    self.read_section(line, faults);
                }
            }
        }
    }

    fn read_global(&mut self, line: Word<'_>, faults: &mut Faults<'_>) {
        if line.text.starts_with("supervised") && value_of(line).is_none() {
            return self.read_bare_supervised(line, faults);
        }
        let Some((name, value)) = split(line) else {
            return complain(line, directives::GLOBAL, faults);
        };
        let family = match name.text {
            "virtual" => Family::V4,
            "virtual6" => Family::V6,
            _ => {
                let Some(directive) = directives::find(directives::GLOBAL, name.text) else {
                    return complain(line, directives::GLOBAL, faults);
                };
                directive.read(&mut self.global, value, faults);
                return;
            }
        };
        self.sections.push(Section {
            family,
            line: virtual_server::read(value, family, faults),
            span: trimmed(line).span,
            given: Given::default(),
        });
    }

    fn read_bare_supervised(&mut self, line: Word<'_>, faults: &mut Faults<'_>) {
        let span = trimmed(line).span;
        if trimmed(line).text == "supervised" {
            let value = true;
            self.global.supervised = Some(At { value, span });
            let message = "please update your config not to use a bare supervised directive";
            faults.warning_with(span, message, "supervised=yes");
        } else {
            faults.error(span, "supervised must be 'yes' or 'no'");
        }
    }

    fn read_section(&mut self, line: Word<'_>, faults: &mut Faults<'_>) {
        let Some(section) = self.sections.last_mut() else {
            return;
        };
        let known = split(line).and_then(|(name, value)| {
            let directive = directives::find(directives::SECTION, name.text)?;
            Some((directive, name, value))
        });
        let Some((directive, name, value)) = known else {
            return complain(line, directives::SECTION, faults);
        };
        // A tunnel may lead through the other family.
        let through = matches!(name.text, "real" | "real6") && real_server::is_tunnelled(value);
        let other = match section.family {
            Family::V4 | Family::V6 if through => String::new(),
            Family::V4 if matches!(name.text, "real6" | "fallback6") => name.text.replace('6', ""),
            Family::V6 if matches!(name.text, "real" | "fallback") => format!("{}6", name.text),
            Family::V4 | Family::V6 => String::new(),
        };
        if !other.is_empty() {
            let message = format!(
                "cannot specify \"{}\" here.  please use \"{other}\" instead",
                name.text
            );
            return faults.error(name.span, message);
        }
        directive.read(&mut section.given, value, faults);
    }
}

/// The complaint about a line that is no directive of its place.
fn complain(line: Word<'_>, table: &'static [Directive], faults: &mut Faults<'_>) {
    let name = name_of(line);
    let other_place = if std::ptr::eq(table, directives::GLOBAL) {
        (
            directives::SECTION,
            "belongs into a section: indent it below its virtual line",
        )
    } else {
        (
            directives::GLOBAL,
            "is a global directive: it starts in the first column",
        )
    };
    let span = trimmed(line).span;
    let known = directives::find(table, name.text);
    if let Some(directive) = known {
        let hint = format!(
            "{0} takes a value: {0}=…, by default {1}",
            name.text, directive.default
        );
        faults.error_with(span, unknown(line), hint);
    } else if directives::find(other_place.0, name.text).is_some() {
        let hint = format!("{} {}", name.text, other_place.1);
        faults.error_with(span, unknown(line), hint);
    } else if let Some(nearest) = directives::nearest(table, name.text) {
        faults.error_with(span, unknown(line), format!("did you mean {nearest}?"));
    } else {
        faults.error(span, unknown(line));
    }
}

fn unknown(line: Word<'_>) -> String {
    if line.span.start == 0 {
        format!("Unknown command {}", trimmed(line).text)
    } else {
        format!("Unknown command \"{}\"", trimmed(line).text)
    }
}

/// The letters at a line's beginning.
fn name_of(line: Word<'_>) -> Word<'_> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let end = line.text.find(|c| !allowed(c)).unwrap_or(line.text.len());
    line.part(0..end)
}

/// What stands behind `=`, blanks at its end included; `None` without a `=`.
fn value_of(line: Word<'_>) -> Option<Word<'_>> {
    let name = name_of(line);
    let tail = rest(line, name.text.len());
    tail.text.starts_with('=').then(|| rest(tail, 1))
}

fn split(line: Word<'_>) -> Option<(Word<'_>, Word<'_>)> {
    Some((name_of(line), value_of(line)?))
}

#[cfg(test)]
mod tests;
