//! Lines of JSON over a byte stream, bounded in length.

use serde::{Serialize, de::DeserializeOwned};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest line a client accepts from a server, bytes: many times what a line of rows needs.
pub const SERVER_LINE_MAX: usize = 16 * 1024 * 1024;

/// Longest line a server accepts from a client, bytes.
pub const REQUEST_LINE_MAX: usize = 64 * 1024;

/// How much room each read is offered, bytes.
const READ_CHUNK: usize = 16 * 1024;

/// Why no value came out of a line.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    #[error("reading the status socket: {0}")]
    Read(io::Error),
    #[error("a line longer than {limit} bytes")]
    TooLong { limit: usize },
    #[error("a snapshot of more than {limit} rows")]
    TooMany { limit: usize },
    #[error("a line that is not what the protocol says: {0}")]
    Syntax(serde_json::Error),
    #[error("the connection ended in the middle of a line")]
    Cut,
}

/// One value as a line, line end included.
pub fn encode<T: Serialize>(value: &T) -> String {
    let mut line = serde_json::to_string(value).expect("our vocabulary has string keys only");
    line.push('\n');
    line
}

/// Reads values off a stream, one per line.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    /// Bytes of `buffer` already searched for a line end.
    searched: usize,
    limit: usize,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// `limit` is the longest line accepted, bytes, without its line end.
    pub fn new(reader: R, limit: usize) -> Lines<R> {
        Lines {
            reader,
            buffer: Vec::new(),
            searched: 0,
            limit,
        }
    }

    /// The next value, `None` at the end of the stream. Empty lines are skipped. Nothing is lost
    /// when the future is dropped before it is ready.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, LineError> {
        loop {
            while let Some(line) = self.line()? {
                if !line.iter().all(u8::is_ascii_whitespace) {
                    return serde_json::from_slice(&line)
                        .map(Some)
                        .map_err(LineError::Syntax);
                }
            }
            self.buffer.reserve(READ_CHUNK);
            let read = self.reader.read_buf(&mut self.buffer).await;
            match read.map_err(LineError::Read)? {
                0 if self.buffer.is_empty() => return Ok(None),
                0 => return Err(LineError::Cut),
                _ => {}
            }
        }
    }

    /// Takes the first whole line out of the buffer.
    fn line(&mut self) -> Result<Option<Vec<u8>>, LineError> {
        let fresh = self.buffer.get(self.searched..).unwrap_or_default();
        let Some(at) = fresh.iter().position(|byte| *byte == b'\n') else {
            self.searched = self.buffer.len();
            return if self.searched > self.limit {
                Err(LineError::TooLong { limit: self.limit })
            } else {
                Ok(None)
            };
        };
        let end = self.searched + at;
        let rest = self.buffer.split_off(end + 1);
        let mut line = std::mem::replace(&mut self.buffer, rest);
        line.truncate(end);
        self.searched = 0;
        if line.len() > self.limit {
            return Err(LineError::TooLong { limit: self.limit });
        }
        Ok(Some(line))
    }
}
