//! The old daemon's own log: what it must have said, and what it may complain of.

use std::collections::BTreeSet;

/// Shapes of errors that a pair of old daemons shows in the same rows: the act, or `*` for every one, a
/// blank and the shape, of which `*` ends the part that counts.
const KNOWN: &str = include_str!("loud.txt");

/// A place in a log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marker(usize);

impl Marker {
    pub(super) fn at_end_of(log: &str) -> Self {
        Self(log.len())
    }

    pub(super) fn rest(self, log: &str) -> &str {
        log.get(self.0..).unwrap_or_default()
    }
}

/// Part of a line, or of one of several: `a|b`. `{r}` is the old node, `{n}` the other one, `{0}` and `{1}`
/// are its links.
#[derive(Debug, Clone, Copy)]
pub(super) struct Saying(pub(super) &'static str);

impl Saying {
    pub(super) fn is_in(self, log: &str, [old, new]: [&str; 2], links: &[String; 2]) -> bool {
        self.0.split('|').any(|words| {
            let words = words.replace("{r}", old).replace("{n}", new);
            let words = words.replace("{0}", &links[0]).replace("{1}", &links[1]);
            log.contains(&words)
        })
    }
}

/// Lines that are errors or worse.
pub(super) fn loud(log: &str) -> Vec<String> {
    let words = ["ERROR:", "CRIT:", "EMERG:", "ALERT:"];
    let loud = |line: &&str| words.iter().any(|word| line.contains(word));
    log.lines().filter(loud).map(str::to_owned).collect()
}

/// What is the same in every such line: numbers and names are not.
pub(super) fn shape(line: &str) -> String {
    let words = ["ERROR:", "CRIT:", "EMERG:", "ALERT:"];
    let from = words.iter().find_map(|word| line.find(word)).unwrap_or(0);
    let mut shape = String::new();
    for part in line[from..].split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let word = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let rest = &part[word.len()..];
        let number = word.contains(|c: char| c.is_ascii_digit());
        shape.push_str(if number { "#" } else { word });
        shape.push_str(rest);
    }
    shape
}

/// The shapes of these lines that no pair of old daemons shows when this happens.
pub(super) fn unknown(lines: &[String], act: &str) -> BTreeSet<String> {
    let known = KNOWN.lines().filter(|line| !line.starts_with('#'));
    let known: Vec<&str> = known
        .filter_map(|line| line.split_once(' '))
        .filter(|(when, _)| *when == "*" || *when == act)
        .map(|(_, shape)| shape)
        .collect();
    let is_known = |shape: &String| {
        let mut known = known.iter();
        known.any(|known| match known.strip_suffix('*') {
            Some(beginning) => shape.starts_with(beginning),
            None => shape == known,
        })
    };
    let shapes = lines.iter().map(|line| shape(line));
    shapes.filter(|shape| !is_known(shape)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_has_neither_numbers_nor_names() {
        let line =
            "heartbeat[77]: 2026/01/01_00:00:00 CRIT: Cluster node lb2 returning after partition.";
        assert_eq!(
            shape(line),
            "CRIT: Cluster node # returning after partition."
        );
    }

    #[test]
    fn what_is_known_of_one_act_is_not_of_another() {
        let line = "CRIT: Cluster node lb2 returning after partition.".to_owned();
        assert!(unknown(std::slice::from_ref(&line), "Partition").is_empty());
        assert_eq!(unknown(&[line], "Start").len(), 1);
    }

    #[test]
    fn sayings_are_about_the_other_node() {
        let links = ["eth0", "eth1"].map(str::to_owned);
        let is_in = |saying: &'static str| {
            Saying(saying).is_in("info: Link lb2:eth1 up.", ["lb1", "lb2"], &links)
        };
        assert!(is_in("Link {n}:{1} up."));
        assert!(is_in("nothing|Link {n}:"));
        assert!(!is_in("Link {r}:{1} up."));
    }
}
