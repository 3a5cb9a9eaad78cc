//! haresources: preferred nodes and resource groups (Heartbeat specification 1.7).
//!
//! Groups mean what the old ResourceManager made of a line; what it only got wrong by accident is
//! a fault or a warning here.

mod addresses;
mod holdings;

use super::files::read;
use super::odd;
use addresses::Addresses;
use ha_plumbing::{Diagnostic, Diagnostics, Line, Severity, Source, Span, Word};
use hbd_core::config::{GroupConfig, MAX_GROUPS, NodeName, ResourceConfig, group_tag};
use holdings::holdings;
use ring::digest::{SHA256, digest};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

/// Resources of all groups: a snapshot names each.
pub const MAX_RESOURCES: usize = 10_000;

/// Bytes of one resource word: it names its group in every answer.
pub const MAX_WORD: usize = 1_024;

/// Bytes of the digest that are sent: enough to notice a difference, not a secret.
const DIGEST_BYTES: usize = 8;

/// What ha.cf has to say about it.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    pub nodes: &'a [NodeName],
    /// Addresses of nodes.
    pub peers: &'a [IpAddr],
    /// Are addresses done by hbd itself?
    pub builtin: bool,
}

/// The file's content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resources {
    pub groups: Vec<GroupConfig>,
    /// Hex digits; equal on two nodes if and only if their files mean the same.
    pub digest: String,
}

/// Reads the file; `None` if that was impossible.
pub fn load(path: &Path, context: Context<'_>, found: &mut Diagnostics) -> Option<Resources> {
    match read(path) {
        Ok(source) => Some(parse(&source, context, found)),
        Err(fault) => {
            found.push(fault.hint("haresources is needed, if only as an empty file"));
            None
        }
    }
}

/// Reads a text. Faults go to `found`; a faulty group is left out.
pub fn parse(source: &Source, context: Context<'_>, found: &mut Diagnostics) -> Resources {
    let mut reader = Reader {
        source,
        context,
        found,
        groups: Vec::new(),
        keys: BTreeMap::new(),
        tags: BTreeMap::new(),
        resources: 0,
        addresses: Addresses::default(),
        normal: String::new(),
    };
    for words in logical_lines(source, reader.found) {
        reader.line(&words);
    }
    reader.shared_resources();
    let sum = digest(&SHA256, reader.normal.as_bytes());
    let bytes = sum.as_ref().get(..DIGEST_BYTES).unwrap_or_default();
    Resources {
        digest: bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }),
        groups: reader
            .groups
            .into_iter()
            .map(|group| group.config)
            .collect(),
    }
}

/// Words of lines whose continuations are joined; no empty ones.
fn logical_lines<'a>(source: &'a Source, found: &mut Diagnostics) -> Vec<Vec<Word<'a>>> {
    let mut lines = Vec::new();
    let mut words: Vec<Word<'a>> = Vec::new();
    let mut continued = false;
    for line in source.lines() {
        let cut = line.before_comment();
        if continued && cut.text.len() < line.text.len() {
            let comment = line.word(cut.text.len()..line.text.len());
            let fault = Diagnostic::warning("comment on a continuation line")
                .hint("Heartbeat takes its words as resources; put it on a line of its own");
            found.push(fault.at(source, comment.span));
        }
        if let Some((at, c)) = cut
            .text
            .char_indices()
            .find(|(_, c)| matches!(c, '\r' | '\x0c'))
        {
            let name = if c == '\r' {
                "a carriage return"
            } else {
                "a form feed"
            };
            let fault = Diagnostic::warning(format!("{name} in this line"))
                .hint("Heartbeat makes it part of a word; `dos2unix` removes carriage returns");
            found.push(fault.at(source, line.word(at..at + c.len_utf8()).span));
        }
        let text = cut.text.strip_suffix('\r').unwrap_or(cut.text);
        let joined = text.strip_suffix('\\');
        let end = match joined {
            Some(_) => LineEnd::Backslash,
            None if cut.text.len() < line.text.len() => LineEnd::Comment,
            None => LineEnd::Plain,
        };
        let line = Line {
            text: joined.unwrap_or(text),
            ..line
        };
        let mut fresh: Vec<Word<'a>> = line.words().collect();
        // Joining removes backslash and line feed: without a blank two words become one.
        if continued
            && let (Some(last), Some(first)) = (words.last(), fresh.first())
            && first.span.start == 0
            && touches_end(source, *last)
        {
            let fault = Diagnostic::error(format!(
                "`{}` and `{}` are one word: nothing but backslash and line end between them",
                last.text, first.text
            ));
            let hint = "begin the continuation line with a blank";
            found.push(fault.hint(hint).at(source, first.span));
        }
        if !continued && let Some(fault) = glued(&line, end, fresh.first()) {
            let span = fresh.first().map_or(line.span(), |word| word.span);
            found.push(fault.at(source, span));
        }
        words.append(&mut fresh);
        continued = joined.is_some();
        if !continued && !words.is_empty() {
            lines.push(std::mem::take(&mut words));
        }
    }
    if !words.is_empty() {
        lines.push(words);
    }
    lines
}

/// The old daemon looks for node names on its own: it takes all up to a blank for one, and knows
/// comments only where a line begins with one. `text` is without comment and backslash.
fn glued(line: &Line<'_>, end: LineEnd, node: Option<&Word<'_>>) -> Option<Diagnostic> {
    let glued = |word: &&Word<'_>| word.span.end == line.text.len();
    let (what, name) = match (end, node) {
        (LineEnd::Plain, _) | (LineEnd::Comment, None) => return None,
        (LineEnd::Backslash, None) => ("a backslash", ""),
        (LineEnd::Backslash, Some(_)) => ("a backslash", node.filter(glued)?.text),
        (LineEnd::Comment, Some(_)) => ("a comment", node.filter(glued)?.text),
    };
    let message = match name {
        "" => format!("nothing but {what} in this line"),
        name => format!("{what} directly behind {name}"),
    };
    let hint = "Heartbeat takes it for a part of the node's name and refuses the file";
    Some(Diagnostic::warning(message).hint(hint))
}

/// What follows the words of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineEnd {
    Plain,
    Comment,
    Backslash,
}

/// Does the word stand directly before the backslash of its line?
fn touches_end(source: &Source, word: Word<'_>) -> bool {
    let line = source.line(word.span.line);
    line.is_some_and(|line| {
        line.text
            .get(word.span.end..)
            .is_some_and(|rest| rest.starts_with('\\'))
    })
}

/// A group and where its first resource stands.
struct Group {
    config: GroupConfig,
    place: Span,
    /// Resource words of the file after the first one.
    others: Vec<(String, Span)>,
}

struct Reader<'a> {
    source: &'a Source,
    context: Context<'a>,
    found: &'a mut Diagnostics,
    groups: Vec<Group>,
    /// Line of each group key.
    keys: BTreeMap<String, u32>,
    /// Line of each group's tag.
    tags: BTreeMap<u64, u32>,
    /// Resources so far.
    resources: usize,
    addresses: Addresses,
    /// The file as the old pipeline normalises it.
    normal: String,
}

impl Reader<'_> {
    /// `node resource resource…`
    fn line(&mut self, words: &[Word<'_>]) {
        let Some((node, resources)) = words.split_first() else {
            return;
        };
        self.normalise(node, resources);
        let preferred = self.node(node);
        let Some((first, rest)) = resources.split_first() else {
            let message = format!("{} has no resource in this line", node.text);
            self.found.warning(self.source, node.span, message);
            return;
        };
        let unique = self.key_is_unique(first);
        let group = (node.span.line, preferred.clone());
        // The same line twice is one fault, not two.
        self.addresses.begin_group(group, unique);
        let configs: Vec<_> = resources.iter().map(|word| self.resource(*word)).collect();
        if self.groups.len() == MAX_GROUPS {
            let message = format!("more than {MAX_GROUPS} resource groups");
            self.found.error(self.source, first.span, message);
            return;
        }
        self.resources += resources.len();
        if self.resources > MAX_RESOURCES {
            let message = format!("more than {MAX_RESOURCES} resources in all groups");
            self.found.error(self.source, first.span, message);
            return;
        }
        let resources: Option<Vec<ResourceConfig>> = configs.into_iter().collect();
        let (Some(preferred), Some(resources), true) = (preferred, resources, unique) else {
            return;
        };
        self.groups.push(Group {
            config: GroupConfig {
                name: first.text.to_owned(),
                preferred,
                holds: holdings(&resources),
                resources,
            },
            place: first.span,
            others: rest
                .iter()
                .map(|word| (word.text.to_owned(), word.span))
                .collect(),
        });
    }

    /// First word in lower case, single blanks, one blank at the end.
    fn normalise(&mut self, node: &Word<'_>, resources: &[Word<'_>]) {
        self.normal.push_str(&node.text.to_ascii_lowercase());
        self.normal.push(' ');
        for resource in resources {
            self.normal.push_str(resource.text);
            self.normal.push(' ');
        }
        self.normal.push('\n');
    }

    fn node(&mut self, word: &Word<'_>) -> Option<NodeName> {
        let nodes = self.context.nodes;
        let name = NodeName::new(word.text).filter(|name| nodes.contains(name));
        if name.is_none() {
            let path = self.source.path().display();
            let message = format!("Bad nodename in {path} [{}]", word.text);
            let names: Vec<&str> = nodes.iter().map(NodeName::as_str).collect();
            let hint = format!("the nodes of ha.cf are: {}", names.join(", "));
            let fault = Diagnostic::error(message).hint(hint);
            self.found.push(fault.at(self.source, word.span));
        }
        name
    }

    /// Every operation names a group by its first resource.
    fn key_is_unique(&mut self, first: &Word<'_>) -> bool {
        let line = first.span.line;
        match self.keys.get(first.text) {
            None => {
                self.keys.insert(first.text.to_owned(), line);
                self.tag_is_unique(first)
            }
            Some(earlier) => {
                let message = format!(
                    "`{}` is the first resource of the group in line {earlier} already",
                    first.text
                );
                let hint = "a group is known by its first resource, which must be unique";
                let fault = Diagnostic::error(message).hint(hint);
                self.found.push(fault.at(self.source, first.span));
                false
            }
        }
    }

    /// Nodes tell each other of groups by tags. Two names with one tag are a curiosity, but one
    /// that must not pass.
    fn tag_is_unique(&mut self, first: &Word<'_>) -> bool {
        let line = first.span.line;
        let Some(earlier) = self.tags.insert(group_tag(first.text), line) else {
            return true;
        };
        let message = format!(
            "`{}` cannot be told from the first resource of the group in line {earlier}",
            first.text
        );
        let fault = Diagnostic::error(message).hint("write the arguments of one in another way");
        self.found.push(fault.at(self.source, first.span));
        false
    }

    /// A word that cannot be handed to a script, or not be shown.
    fn is_fit(&mut self, word: Word<'_>) -> bool {
        if let Some(fault) = odd::quoted(word.text) {
            self.found.push(fault.at(self.source, word.span));
        }
        let message = if word.text.len() > MAX_WORD {
            format!("a resource of more than {MAX_WORD} bytes")
        } else if word.text.contains(char::is_control) {
            "a control character in a resource".to_owned()
        } else {
            return true;
        };
        self.found.error(self.source, word.span, message);
        false
    }

    /// `script::arg::arg`, or an address.
    fn resource(&mut self, word: Word<'_>) -> Option<ResourceConfig> {
        if !self.is_fit(word) {
            return None;
        }
        if word.text == "\\" {
            let fault = Diagnostic::error("a backslash that does not end its line")
                .hint("a line is continued only if nothing follows the backslash");
            self.found.push(fault.at(self.source, word.span));
            return None;
        }
        let (script, args): (&str, Vec<String>) = if looks_like_address(word.text) {
            ("IPaddr", vec![word.text.to_owned()])
        } else {
            let mut parts = word.text.split("::");
            let script = parts.next().unwrap_or_default();
            // The old splitting drops empty arguments.
            (
                script,
                parts
                    .filter(|part| !part.is_empty())
                    .map(str::to_owned)
                    .collect(),
            )
        };
        if script.is_empty() || script.contains('/') || script.starts_with('.') {
            let message = format!("`{}` does not begin with the name of a script", word.text);
            self.found.error(self.source, word.span, message);
            return None;
        }
        let colon = script.contains(':');
        let full = shortened(word.text).filter(|_| colon || word.text.contains('/'));
        if colon || full.is_some() {
            let (message, hint) = match full {
                Some(full) => (
                    format!("`{script}` is taken for the name of a script"),
                    format!("an IPv6 address is written in full: IPaddr2::{full}"),
                ),
                None => (
                    format!("single colon in `{script}`"),
                    "script and arguments are separated by two; Heartbeat garbles the arguments"
                        .to_owned(),
                ),
            };
            let fault = Diagnostic::warning(message).hint(hint);
            self.found.push(fault.at(self.source, word.span));
        }
        if !self.address(script, &args, word) {
            return None;
        }
        if let Some(odd) = odd::character(word.text) {
            let fault = Diagnostic::warning(format!("an odd character in `{}`", word.text));
            self.found.push(fault.hint(odd).at(self.source, word.span));
        }
        Some(ResourceConfig {
            script: script.to_owned(),
            args,
        })
    }

    /// `IPaddr::ip/mask/interface:label/broadcast`. A site's own script may take what it likes.
    /// False if it cannot work.
    fn address(&mut self, script: &str, args: &[String], word: Word<'_>) -> bool {
        if !matches!(script, "IPaddr" | "IPaddr2") {
            return true;
        }
        let before = self.found.error_count();
        let told = self
            .addresses
            .judge(script, args, self.context.peers, word.span.line);
        for mut fault in told {
            if !self.context.builtin {
                fault.severity = Severity::Warning;
            }
            let argument = word.text.strip_prefix(script).unwrap_or_default();
            if let Some(full) = shortened(argument.trim_start_matches("::")) {
                let hint = format!("`::` separates arguments: write the address in full, {full}");
                fault = fault.hint(hint);
            }
            self.found.push(fault.at(self.source, word.span));
        }
        self.found.error_count() == before
    }

    /// The old search for a group also matches later resources of other groups.
    fn shared_resources(&mut self) {
        for group in &self.groups {
            for (text, span) in &group.others {
                let Some(line) = self
                    .keys
                    .get(text)
                    .filter(|line| **line != group.place.line)
                else {
                    continue;
                };
                let fault = Diagnostic::warning(format!(
                    "`{text}` is also the first resource of the group in line {line}"
                ));
                let hint = "Heartbeat would mix the two groups";
                self.found.push(fault.hint(hint).at(self.source, *span));
            }
        }
    }
}

/// The address in full if the word begins with an IPv6 address that has a `::`.
fn shortened(word: &str) -> Option<String> {
    let address = word.split('/').next().filter(|word| word.contains("::"))?;
    let segments = address.parse::<Ipv6Addr>().ok()?.segments();
    let segments = segments.map(|segment| format!("{segment:x}"));
    Some(segments.join(":"))
}

/// The old glob `[0-9]*.[0-9]*.[0-9]*.[0-9]*`: four pieces that begin with a digit, of which the
/// middle ones may be longer than they seem. Words of IPv6 addresses do not match.
fn looks_like_address(word: &str) -> bool {
    let mut rest = word;
    if !rest.starts_with(|c: char| c.is_ascii_digit()) {
        return false;
    }
    for _ in 0..3 {
        // The earliest dot before a digit leaves most for the pieces after it.
        let dot = rest
            .match_indices('.')
            .find(|(at, _)| rest.as_bytes().get(at + 1).is_some_and(u8::is_ascii_digit));
        match dot.and_then(|(at, _)| rest.get(at + 1..)) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests;
