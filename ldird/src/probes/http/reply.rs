//! An HTTP/1 answer, read as leniently as the old daemon's library reads it (libwww-perl 6.68, with
//! which it decided for years who is up): no socket, no clock, bytes in.
//!
//! Lines end at LF, with or without CR. A line without a colon is no header and no fault. An answer
//! that begins with no status line is a body (HTTP/0.9). Whatever goes wrong after the head ends
//! the body: what came until then is judged.

/// Longest line, bytes, and most lines of a head: the old library's.
const LINE_MAX_BYTES: usize = 8192;
const HEAD_MAX_LINES: u32 = 128;
/// Answers like "100 Continue" before the real one.
const INTERIM_MAX: u32 = 8;
/// So much of a body is kept and matched, bytes; what follows is not looked at.
pub(super) const BODY_MAX_BYTES: usize = 1024 * 1024;

/// An answer while it arrives. Bytes are put into [`Reply::buffer`], then [`Reply::advance`] looks
/// at them.
#[derive(Debug)]
pub(super) struct Reply {
    stage: Stage,
    /// The answer to HEAD: whatever follows the head is none of it.
    head_only: bool,
    raw: Vec<u8>,
    status: Option<Status>,
    fields: Fields,
    body: Vec<u8>,
    interim: u32,
    /// It ended as its head said, or with the connection.
    whole: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) code: u16,
    /// `200 OK`
    pub(super) line: String,
}

/// What went wrong before the head was whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Broken {
    #[error("the server closed the connection without an answer")]
    Nothing,
    #[error("a header line is too long (limit is {LINE_MAX_BYTES})")]
    LongLine,
    #[error("too many header lines (limit is {HEAD_MAX_LINES})")]
    ManyLines,
    #[error("too many answers that announce another one")]
    ManyInterim,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Status,
    Headers,
    /// So many bytes, or up to the end of the connection.
    Body(Option<u64>),
    ChunkSize,
    Chunk(u64),
    /// The line feed behind a chunk.
    ChunkEnd,
    Done,
}

/// The headers that matter.
#[derive(Debug, Default)]
struct Fields {
    /// The one that a folded line continues; its value is empty if it does not matter.
    last: Option<(Field, Vec<u8>)>,
    lines: u32,
    length: Option<u64>,
    chunked: bool,
    location: Option<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Length,
    Encoding,
    Location,
    Other,
}

impl Reply {
    pub(super) fn new(head_only: bool) -> Self {
        Self {
            stage: Stage::Status,
            head_only,
            raw: Vec::new(),
            status: None,
            fields: Fields::default(),
            body: Vec::new(),
            interim: 0,
            whole: false,
        }
    }

    /// Where the next bytes from the server go, behind what is there.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.raw
    }

    /// The status, once the head is whole.
    pub(super) fn status(&self) -> Option<&Status> {
        let head = matches!(self.stage, Stage::Status | Stage::Headers);
        self.status.as_ref().filter(|_| !head)
    }

    /// Where a redirect leads.
    pub(super) fn location(&self) -> Option<&[u8]> {
        self.fields.location.as_deref()
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Nothing that follows belongs to it or matters.
    pub(super) fn is_complete(&self) -> bool {
        self.stage == Stage::Done
    }

    /// Has the server said all that it had to say? Not after chunks, behind which lines may follow.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Did anything come?
    pub(super) fn is_empty(&self) -> bool {
        self.stage == Stage::Status && self.raw.is_empty()
    }

    /// Reads as far as the bytes go.
    pub(super) fn advance(&mut self) -> Result<(), Broken> {
        let mut at = 0;
        // Lines are looked at where they are.
        let mut raw = std::mem::take(&mut self.raw);
        let outcome = loop {
            match self.step(&raw, &mut at) {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(broken) => break Err(broken),
            }
        };
        raw.drain(..at.min(raw.len()));
        self.raw = raw;
        outcome
    }

    /// The server has closed the connection: what is left is a line, and the head, if still open,
    /// is whole.
    pub(super) fn close(&mut self) -> Result<(), Broken> {
        match self.stage {
            Stage::Status if self.raw.is_empty() => return Err(Broken::Nothing),
            Stage::Status => {
                let line = std::mem::take(&mut self.raw);
                self.first_line(&line, &[]);
                if self.stage == Stage::Headers {
                    self.end_of_head()?;
                }
            }
            Stage::Headers => {
                let line = std::mem::take(&mut self.raw);
                if !line.is_empty() {
                    self.fields.line(&line);
                }
                self.end_of_head()?;
            }
            Stage::Body(_) | Stage::ChunkSize | Stage::Chunk(_) | Stage::ChunkEnd | Stage::Done => {
            }
        }
        self.stage = Stage::Done;
        self.whole = true;
        Ok(())
    }

    /// One step from there on; false if more bytes are needed.
    fn step(&mut self, raw: &[u8], at: &mut usize) -> Result<bool, Broken> {
        match self.stage {
            Stage::Done => {
                *at = raw.len();
                Ok(false)
            }
            Stage::Body(left) => Ok(self.copy(raw, at, left, Stage::Body)),
            Stage::Chunk(left) => Ok(self.copy(raw, at, Some(left), |left| match left {
                Some(left) if left > 0 => Stage::Chunk(left),
                Some(_) | None => Stage::ChunkEnd,
            })),
            Stage::Status | Stage::Headers | Stage::ChunkSize | Stage::ChunkEnd => {
                let Some((line, end)) = line_at(raw, *at) else {
                    let long = raw.len() - *at > LINE_MAX_BYTES;
                    return if long { self.long_line() } else { Ok(false) };
                };
                let feed = raw.get(*at + line.len()..end).unwrap_or_default();
                *at = end;
                if line.len() > LINE_MAX_BYTES {
                    return self.long_line();
                }
                self.line(line, feed).map(|()| true)
            }
        }
    }

    fn long_line(&mut self) -> Result<bool, Broken> {
        match self.stage {
            Stage::Status | Stage::Headers => Err(Broken::LongLine),
            Stage::Body(_) | Stage::ChunkSize | Stage::Chunk(_) | Stage::ChunkEnd | Stage::Done => {
                self.stage = Stage::Done;
                Ok(true)
            }
        }
    }

    fn line(&mut self, line: &[u8], feed: &[u8]) -> Result<(), Broken> {
        match self.stage {
            Stage::Status => self.first_line(line, feed),
            // The old library takes a line "0" for nothing, too.
            Stage::Headers if line.is_empty() || line == b"0" => self.end_of_head()?,
            Stage::Headers => {
                self.fields.line(line);
                if self.fields.lines >= HEAD_MAX_LINES {
                    return Err(Broken::ManyLines);
                }
            }
            Stage::ChunkSize => self.stage = chunk_size(line),
            // Anything but a line feed behind a chunk ends the body.
            Stage::ChunkEnd if line.is_empty() => self.stage = Stage::ChunkSize,
            Stage::ChunkEnd | Stage::Body(_) | Stage::Chunk(_) | Stage::Done => {
                self.stage = Stage::Done;
            }
        }
        Ok(())
    }

    fn first_line(&mut self, line: &[u8], feed: &[u8]) {
        if let Some(status) = status(line) {
            self.status = Some(status);
            self.stage = Stage::Headers;
            return;
        }
        // HTTP/0.9: the line is the beginning of the body. The old library's words.
        self.status = Some(Status {
            code: 200,
            line: "200 Assumed OK".to_owned(),
        });
        self.stage = if self.head_only {
            Stage::Done
        } else {
            self.keep(line);
            self.keep(feed);
            Stage::Body(None)
        };
    }

    fn end_of_head(&mut self) -> Result<(), Broken> {
        self.fields.settle();
        let code = self.status.as_ref().map_or(0, |status| status.code);
        if (100..200).contains(&code) && code != 101 {
            self.interim += 1;
            if self.interim > INTERIM_MAX {
                return Err(Broken::ManyInterim);
            }
            self.fields = Fields::default();
            self.stage = Stage::Status;
            return Ok(());
        }
        self.stage = match self.fields.length {
            _ if self.head_only => Stage::Done,
            _ if self.fields.chunked => Stage::ChunkSize,
            Some(length) => Stage::Body(Some(length)),
            None if matches!(code, 101 | 204 | 304) => Stage::Done,
            None => Stage::Body(None),
        };
        // Some servers answer HEAD with a body all the same, and behind 101 there is another protocol.
        self.whole = self.stage == Stage::Done && !self.head_only && code != 101;
        Ok(())
    }

    /// Moves bytes to the body; true if the stage has changed.
    fn copy(
        &mut self,
        raw: &[u8],
        at: &mut usize,
        left: Option<u64>,
        stage: impl Fn(Option<u64>) -> Stage,
    ) -> bool {
        let there = raw.len() - *at;
        let most = left.map_or(there, |left| {
            usize::try_from(left).unwrap_or(usize::MAX).min(there)
        });
        let piece = raw.get(*at..*at + most).unwrap_or_default();
        *at += most;
        self.keep(piece);
        if self.stage == Stage::Done {
            return true;
        }
        let left = left.map(|left| left - most as u64);
        let is_all = left == Some(0);
        let next = stage(left);
        self.stage = if is_all && matches!(next, Stage::Body(_)) {
            self.whole = true;
            Stage::Done
        } else {
            next
        };
        is_all
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = BODY_MAX_BYTES - self.body.len();
        let piece = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        self.body.extend_from_slice(piece);
        if self.body.len() >= BODY_MAX_BYTES {
            self.stage = Stage::Done;
        }
    }
}

impl Fields {
    fn line(&mut self, line: &[u8]) {
        self.lines += 1;
        if let Some((name, value)) = header(line) {
            self.settle();
            let value = match name {
                Field::Length | Field::Encoding | Field::Location => value.to_vec(),
                Field::Other => Vec::new(),
            };
            self.last = Some((name, value));
        } else if let (Some((name, value)), true) = (&mut self.last, starts_blank(line))
            && *name != Field::Other
        {
            value.push(b' ');
            value.extend(line.trim_ascii_start());
        }
    }

    /// The last header is whole.
    fn settle(&mut self) {
        let Some((name, value)) = self.last.take() else {
            return;
        };
        match name {
            // The last one counts, and one that is no number does not.
            Field::Length => self.length = length(&value).or(self.length),
            Field::Encoding => {
                let value = value.to_ascii_lowercase();
                self.chunked = value.trim_ascii().ends_with(b"chunked");
            }
            Field::Location => {
                self.location.get_or_insert(value);
            }
            Field::Other => {}
        }
    }
}

/// The line that begins there without its end, and where the next one begins.
fn line_at(raw: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let rest = raw.get(at..)?;
    let feed = rest.iter().position(|byte| *byte == b'\n')?;
    let line = rest.get(..feed)?;
    Some((line.strip_suffix(b"\r").unwrap_or(line), at + feed + 1))
}

/// `HTTP/1.1 200 OK`, with any version, any blanks and any reason or none.
fn status(line: &[u8]) -> Option<Status> {
    let text = String::from_utf8_lossy(line);
    let blank = |c: char| c.is_ascii_whitespace();
    let (version, rest) = text.split_once(blank)?;
    version.strip_prefix("HTTP/")?;
    let rest = rest.trim_start_matches(blank);
    let (digits, reason) = rest.split_once(blank).unwrap_or((rest, ""));
    let three = digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let code: u16 = digits.parse().ok().filter(|_| three)?;
    if !(100..600).contains(&code) {
        return None;
    }
    let reason = reason.trim();
    let mut line = String::with_capacity(digits.len() + 1 + reason.len());
    line.push_str(digits);
    if !reason.is_empty() {
        line.push(' ');
        line.push_str(reason);
    }
    Some(Status { code, line })
}

/// Name and value; `None` for what is no header: a name has no blanks inside.
fn header(line: &[u8]) -> Option<(Field, &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = line.split_at_checked(colon)?;
    let name = name.trim_ascii_end();
    if name.is_empty() || name.iter().any(u8::is_ascii_whitespace) {
        return None;
    }
    let value = value.get(1..)?.trim_ascii_start();
    let is = |text: &str| name.eq_ignore_ascii_case(text.as_bytes());
    let field = if is("content-length") {
        Field::Length
    } else if is("transfer-encoding") {
        Field::Encoding
    } else if is("location") {
        Field::Location
    } else {
        Field::Other
    };
    Some((field, value))
}

fn starts_blank(line: &[u8]) -> bool {
    line.first().is_some_and(u8::is_ascii_whitespace)
}

/// Up to 15 digits, then a blank or nothing.
fn length(value: &[u8]) -> Option<u64> {
    let value = value.trim_ascii_start();
    let end = value.iter().position(u8::is_ascii_whitespace);
    let digits = value.get(..end.unwrap_or(value.len()))?;
    if digits.len() > 15 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(digits).ok()?.parse().ok()
}

/// A size in hexadecimal, perhaps with parameters; anything else, and 0, ends the body.
fn chunk_size(line: &[u8]) -> Stage {
    let size = line.split(|byte| *byte == b';').next().unwrap_or_default();
    let size = size.trim_ascii_end();
    let hexadecimal = !size.is_empty() && size.iter().all(u8::is_ascii_hexdigit);
    let text = str::from_utf8(size).unwrap_or_default();
    match u64::from_str_radix(text, 16) {
        Ok(size) if hexadecimal && size > 0 => Stage::Chunk(size),
        Ok(_) | Err(_) => Stage::Done,
    }
}

#[cfg(test)]
mod tests;
