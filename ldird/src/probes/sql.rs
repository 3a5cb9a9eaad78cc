//! What the checks of databases have in common (specification 2.16): who logs in, what is asked, and
//! that a row of any content is enough.

use super::services::Dialogue;

/// Rows after which nothing more can make a difference but an error far behind.
pub(super) const ROWS_MAX: u64 = 1000;
/// Bytes of rows likewise.
pub(super) const ROWS_MAX_BYTES: usize = 1024 * 1024;
/// The old daemon's words.
const NOTHING_TO_ASK: &str =
    "Must specify a login and request string for MySQL, Oracle and PostgreSQL checks";

/// The question to a database.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Question {
    pub(super) login: Vec<u8>,
    pub(super) passwd: Vec<u8>,
    /// Empty for the server's choice.
    pub(super) database: Vec<u8>,
    pub(super) query: Vec<u8>,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    Some,
    None,
}

impl Question {
    /// One slash in front is not part of the query. Without a login and a query there is nothing to
    /// ask, which counts as down.
    pub(super) fn new(dialogue: &Dialogue) -> Result<Self, &'static str> {
        let request = &dialogue.request;
        let query = request.strip_prefix(b"/").unwrap_or(request).to_vec();
        let given = |text: &Option<Vec<u8>>| text.clone().unwrap_or_default();
        let login = given(&dialogue.login);
        if login.is_empty() || query.is_empty() {
            return Err(NOTHING_TO_ASK);
        }
        Ok(Self {
            login,
            passwd: given(&dialogue.passwd),
            database: given(&dialogue.database),
            query,
        })
    }
}

/// Passwords are not for logs.
impl std::fmt::Debug for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.query))
    }
}

/// Counts what has come of an answer.
#[derive(Debug, Default)]
pub(super) struct Count {
    rows: u64,
    bytes: usize,
}

impl Count {
    /// Another row; true if that is enough.
    pub(super) fn row(&mut self, bytes: usize) -> bool {
        self.rows += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        self.rows >= ROWS_MAX || self.bytes >= ROWS_MAX_BYTES
    }

    pub(super) fn any(&self) -> Rows {
        if self.rows > 0 {
            Rows::Some
        } else {
            Rows::None
        }
    }
}
