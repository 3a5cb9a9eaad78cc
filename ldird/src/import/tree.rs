//! keepalived.conf as statements: words, and a block of further statements in braces.

use super::report::{Place, Report};
use super::source::Line;

/// Blocks stand in each other no deeper than this.
const DEPTH_MAX: usize = 32;

/// `real_server 10.0.0.1 80 { … }`, `weight 1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) place: Place,
    /// At least one.
    pub(super) words: Vec<String>,
    pub(super) block: Option<Vec<Statement>>,
}

impl Statement {
    /// The first word.
    pub(super) fn key(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// The words behind the first.
    pub(super) fn values(&self) -> Vec<&str> {
        self.words.iter().skip(1).map(String::as_str).collect()
    }

    /// The word behind the first.
    pub(super) fn value(&self) -> Option<&str> {
        self.words.get(1).map(String::as_str)
    }

    /// The word behind the first, as a number.
    pub(super) fn number(&self) -> Option<u32> {
        self.value()?.parse().ok()
    }

    /// Seconds, which may have decimals.
    pub(super) fn seconds(&self) -> Option<f64> {
        let seconds: f64 = self.value()?.parse().ok()?;
        (seconds.is_finite() && seconds >= 0.0).then_some(seconds)
    }

    /// As it was written, on one line.
    pub(super) fn shown(&self) -> String {
        self.words.join(" ")
    }

    pub(super) fn statements(&self) -> &[Statement] {
        self.block.as_deref().unwrap_or_default()
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Open,
    Close,
}

/// The statements of the whole file.
pub(super) fn parse(lines: &[Line], report: &mut Report) -> Vec<Statement> {
    let mut stack = Stack {
        levels: vec![Vec::new()],
        words: Vec::new(),
    };
    for line in lines {
        for token in tokens(line, report) {
            match token {
                Token::Word(word) => stack.words.push(word),
                Token::Open => stack.open(&line.place, report),
                Token::Close => stack.close(&line.place, report),
            }
        }
        stack.end(&line.place);
    }
    stack.finish(report)
}

struct Stack {
    /// The statements of each block that is open; the file itself is the first.
    levels: Vec<Vec<Statement>>,
    words: Vec<String>,
}

impl Stack {
    /// A statement ends where its line does.
    fn end(&mut self, place: &Place) {
        if self.words.is_empty() {
            return;
        }
        let statement = Statement {
            place: place.clone(),
            words: std::mem::take(&mut self.words),
            block: None,
        };
        if let Some(level) = self.levels.last_mut() {
            level.push(statement);
        }
    }

    /// A brace may stand on the line behind its words.
    fn open(&mut self, place: &Place, report: &mut Report) {
        self.end(place);
        let owner = self.levels.last_mut().and_then(|level| level.last_mut());
        match owner.filter(|owner| owner.block.is_none()) {
            Some(owner) => owner.block = Some(Vec::new()),
            None => report.fault(place, "{ opens a block that has no name"),
        }
        if self.levels.len() > DEPTH_MAX {
            report.fault(place, format!("blocks stand more than {DEPTH_MAX} deep"));
        }
        self.levels.push(Vec::new());
    }

    fn close(&mut self, place: &Place, report: &mut Report) {
        self.end(place);
        if self.levels.len() < 2 {
            report.fault(place, "} closes nothing");
            return;
        }
        self.fold();
    }

    /// The innermost block belongs to the statement before it.
    fn fold(&mut self) {
        let Some(block) = self.levels.pop() else {
            return;
        };
        let owner = self.levels.last_mut().and_then(|level| level.last_mut());
        if let Some(owner) = owner {
            owner.block = Some(block);
        }
    }

    fn finish(mut self, report: &mut Report) -> Vec<Statement> {
        while self.levels.len() > 1 {
            let owner = self
                .levels
                .iter()
                .rev()
                .nth(1)
                .and_then(|level| level.last());
            if let Some(owner) = owner {
                let message = format!("the block of \"{}\" is not closed", owner.shown());
                report.fault(&owner.place.clone(), message);
            }
            self.fold();
        }
        self.levels.pop().unwrap_or_default()
    }
}

fn tokens(line: &Line, report: &mut Report) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut characters = line.text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            // Only these two; anything else behind a backslash is a pattern's business.
            '\\' if matches!(characters.peek(), Some('"' | '\\')) => {
                word.get_or_insert_default().extend(characters.next());
            }
            _ if quoted => word.get_or_insert_default().push(character),
            '{' | '}' => {
                tokens.extend(word.take().map(Token::Word));
                tokens.push(if character == '{' {
                    Token::Open
                } else {
                    Token::Close
                });
            }
            _ if character.is_whitespace() => tokens.extend(word.take().map(Token::Word)),
            _ => word.get_or_insert_default().push(character),
        }
    }
    if quoted {
        report.fault(&line.place, "a quote is not closed");
    }
    tokens.extend(word.map(Token::Word));
    tokens
}
