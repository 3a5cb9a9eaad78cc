//! Patterns and subjects by the thousand, judged by Perl itself: one process, driven over a pipe.
//!
//! A difference fails unless it is one of the kinds that [`explained`] lists with its reason.
#![allow(clippy::unwrap_used)]

use super::{Pattern, PatternError};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

/// Patterns drawn in a run, and subjects for each.
const PATTERNS: u64 = 6_000;
const SUBJECTS: usize = 4;

/// Reads a pattern and subjects in hexadecimal, tells for each 1 or 0, E if the pattern does not
/// compile, or P where Perl itself panics, as it does over a repeated class of no characters.
const PERL: &str = r#"
$| = 1; no warnings;
while (my $line = <STDIN>) {
    chomp $line;
    my ($pattern, @subjects) = map { pack 'H*', $_ } split /,/, $line, -1;
    my $compiled = eval { qr/$pattern/ };
    print join('', map { my $s = $_; defined $compiled
        ? (eval { $s =~ $compiled ? 1 : 0 } // 'P') : 'E' } @subjects), "\n";
}
"#;

/// One seed, one sequence (SplitMix64).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn pick<'a>(&mut self, all: &[&'a [u8]]) -> &'a [u8] {
        all[self.below(all.len())]
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

const LETTERS: &[&[u8]] = &[
    b"a",
    b"b",
    b"A",
    b"B",
    b"1",
    b"_",
    b" ",
    b"-",
    b".",
    b"<",
    b">",
    b"/",
    b"\"",
    b"\n",
    b"\r",
    b"\xe9",
    b"\xc9",
    b"\xa0",
    b"\x85",
    b"\xff",
    b"\xc3\xa9",
    b"#",
    b"@",
    b"&",
    b"~",
    b"]",
    b"}",
    b"{",
    b",",
    b"=",
    b":",
    b"!",
    b"'",
    b"%",
];

const ESCAPES: &[&[u8]] = &[
    br"\w",
    br"\W",
    br"\d",
    br"\D",
    br"\s",
    br"\S",
    br"\h",
    br"\H",
    br"\v",
    br"\V",
    br"\N",
    br"\R",
    br"\X",
    br"\n",
    br"\r",
    br"\t",
    br"\e",
    br"\a",
    br"\f",
    br"\<",
    br"\>",
    br"\.",
    br"\/",
    br"\-",
    br"\_",
    br"\x41",
    br"\x{61}",
    br"\xe9",
    br"\x{e9}",
    br"\x",
    br"\x4",
    br"\101",
    br"\0",
    br"\012",
    br"\o{141}",
    br"\cA",
    br"\c[",
    br"\pL",
    br"\PL",
    br"\p{L}",
    br"\p{Lu}",
    br"\p{^Ll}",
    br"\P{N}",
    br"\p{Alpha}",
    br"\p{PosixAlpha}",
    br"\p{IsUpper}",
    br"\p{XPosixPunct}",
    br"\p{Punct}",
    br"\p{Word}",
    br"\p{Latin}",
    br"\p{Zs}",
    br"\p{S}",
    br"\p{Space}",
    br"\p{Any}",
    br"\p{L&}",
    br"\N{U+41}",
    br"\Q",
    br"\E",
    br"\U",
    br"\l",
    br"\y",
    br"\i",
    br"\K",
    br"\G",
    br"\\",
    br"\$",
    br"\@",
    br"\#",
    br"\ ",
    br"\[",
    br"\]",
    br"\(",
    br"\)",
    br"\{",
    br"\}",
    br"\|",
    br"\*",
    br"\+",
    br"\?",
    br"\^",
    br"\&",
    br"\~",
    b"\\\xe9",
    br"\x{100}",
    br"\8",
    br"\18",
    br"\99",
];

const ANCHORS: &[&[u8]] = &[b"^", b"$", br"\A", br"\z", br"\Z", br"\b", br"\B"];

const QUANTIFIERS: &[&[u8]] = &[
    b"*",
    b"+",
    b"?",
    b"*?",
    b"+?",
    b"??",
    b"*+",
    b"++",
    b"?+",
    b"{2}",
    b"{0}",
    b"{1,2}",
    b"{1,}",
    b"{,2}",
    b"{ 1, 2 }",
    b"{0,1}?",
    b"{2}+",
    b"{2,1}",
    b"{,}",
    b"{a}",
    b"{1",
    b"{0,3}",
    b"{1}?",
];

const GROUPS: &[&[u8]] = &[
    b"(", b"(", b"(", b"(?:", b"(?:", b"(?i:", b"(?-i:", b"(?s:", b"(?m:", b"(?x:", b"(?xx:",
    b"(?ms-i:", b"(?^:", b"(?^i:", b"(?=", b"(?!", b"(?<=", b"(?<!", b"(?>", b"(?n:", b"(?a:",
    b"(?u:", b"(?<n>", b"(?'m'", b"(?P<o>",
];

const REFERENCES: &[&[u8]] = &[
    br"\1", br"\1", br"\2", br"\g1", br"\g{1}", br"\g{-1}", br"\g-1", br"\k<n>", br"\k{n}",
    br"(?P=o)", br"\10", br"\g{n}",
];

const IN_CLASS: &[&[u8]] = &[
    b"a-b",
    b"A-Z",
    b"0-9",
    b"-",
    b"--",
    b"a-",
    b"^",
    b"[",
    b"[:alpha:]",
    b"[:^digit:]",
    b"[:punct:]",
    b"[:space:]",
    b"[:word:]",
    b"[:upper:]",
    b"[:lower:]",
    b"[:print:]",
    b"[:graph:]",
    b"[:cntrl:]",
    b"[:xdigit:]",
    b"[:blank:]",
    b"[:ascii:]",
    b"[:alnum:]",
    b"[:what:]",
    b"[:alpha",
    br"\w-",
    br"a-\d",
    br"\d-z",
    br"\b",
    br"\x00-\x20",
    br"\x80-\xff",
    b"&&",
    b"||",
    b"$",
    b"(",
    b"\xe0-\xff",
    br"\n-\r",
    b"z-a",
    b"*",
    b"+",
];

/// A pattern of a few pieces; now and then a piece is cut or doubled, for what does not compile.
fn pattern(draw: &mut Draw, depth: usize) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..=draw.below(4) {
        piece(draw, depth, &mut text);
        if draw.one_in(3) {
            text.extend(draw.pick(QUANTIFIERS));
        }
        if draw.one_in(7) {
            text.push(b'|');
        }
    }
    text
}

fn piece(draw: &mut Draw, depth: usize, text: &mut Vec<u8>) {
    match draw.below(16) {
        0..5 => text.extend(draw.pick(LETTERS)),
        5..8 => text.extend(draw.pick(ESCAPES)),
        8 => text.extend(draw.pick(ANCHORS)),
        9 => text.push(b'.'),
        10 | 11 => class(draw, text),
        12 => text.extend(draw.pick(REFERENCES)),
        13 if draw.one_in(4) => {
            let modifiers: &[&[u8]] = &[b"(?i)", b"(?s)", b"(?m)", b"(?x)", b"(?#c)", b"(?-i)"];
            text.extend(draw.pick(modifiers));
        }
        _ if depth == 0 => text.extend(draw.pick(LETTERS)),
        _ => {
            text.extend(draw.pick(GROUPS));
            text.extend(pattern(draw, depth - 1));
            text.push(b')');
        }
    }
}

fn class(draw: &mut Draw, text: &mut Vec<u8>) {
    text.push(b'[');
    if draw.one_in(3) {
        text.push(b'^');
    }
    for _ in 0..=draw.below(3) {
        match draw.below(4) {
            0 => text.extend(draw.pick(LETTERS)),
            1 => text.extend(draw.pick(ESCAPES)),
            _ => text.extend(draw.pick(IN_CLASS)),
        }
    }
    text.push(b']');
}

/// Letters that patterns have, so that many match; also what only `\Q` and the like would give.
fn subject(draw: &mut Draw) -> Vec<u8> {
    const MORE: &[&[u8]] = &[
        b"Q", b"E", b"a", b"a", b"b", b"\t", b"\\", b"\x00", b"ab", b"\r\n",
    ];
    let mut text = Vec::new();
    for _ in 0..draw.below(7) {
        let all = if draw.one_in(3) { MORE } else { LETTERS };
        text.extend(draw.pick(all));
    }
    if draw.one_in(4) {
        text.push(b'\n');
    }
    text
}

/// Differences that are known, and why they stand.
fn explained(refusal: Option<&PatternError>) -> Option<&'static str> {
    match refusal {
        // Constructions that `check` names, so that nobody is surprised.
        Some(PatternError::Unsupported(_)) => Some("refused by name"),
        Some(PatternError::Invalid(_) | PatternError::Long | PatternError::Large) | None => None,
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

#[test]
fn thousands_of_patterns_mean_what_they_mean_to_perl() {
    let child = Command::new("perl")
        .args(["-e", PERL])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        println!("skipped: there is no perl");
        return;
    };
    let mut ask = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap());
    let seed = std::env::var("LDIRD_PATTERN_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let mut draw = Draw(seed.unwrap_or(1));
    let (mut pairs, mut matches, mut known) = (0, 0, 0);
    let mut differences = Vec::new();
    for _ in 0..PATTERNS {
        let pattern = pattern(&mut draw, 2);
        let subjects: Vec<Vec<u8>> = (0..SUBJECTS).map(|_| subject(&mut draw)).collect();
        let mut line = hexadecimal(&pattern);
        for subject in &subjects {
            line.push(',');
            line.push_str(&hexadecimal(subject));
        }
        writeln!(ask, "{line}").unwrap();
        let mut theirs = String::new();
        answers.read_line(&mut theirs).unwrap();
        let theirs = theirs.trim_end();
        assert_eq!(theirs.len(), SUBJECTS, "perl died at /{}/", shown(&pattern));
        let ours = Pattern::new(&pattern);
        for (subject, theirs) in subjects.iter().zip(theirs.chars()) {
            let verdict = match &ours {
                Err(_) => 'E',
                Ok(pattern) if pattern.is_match(subject) => '1',
                Ok(_) => '0',
            };
            pairs += 1;
            matches += usize::from(theirs == '1');
            if verdict == theirs {
                continue;
            }
            if theirs == 'P' || explained(ours.as_ref().err()).is_some() {
                known += 1;
                continue;
            }
            differences.push(format!(
                "/{}/ on \"{}\": perl {theirs}, we {verdict} {}",
                shown(&pattern),
                shown(subject),
                ours.as_ref()
                    .err()
                    .map(ToString::to_string)
                    .unwrap_or_default()
            ));
        }
    }
    drop(ask);
    let _ = child.wait();
    println!("{pairs} pairs, {matches} matches, {known} known differences");
    let first: Vec<String> = differences.iter().take(40).cloned().collect();
    let count = differences.len();
    assert!(
        count == 0,
        "{count} of {pairs} differ:\n{}",
        first.join("\n")
    );
    assert!(pairs >= 20_000);
}
