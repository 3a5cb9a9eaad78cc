//! A moment as local date and time, in the spellings of the old log files.

use std::time::{SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// Local date and time, to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    pub year: i32,
    /// 0 to 11.
    pub month: usize,
    pub day: u8,
    /// 0 is Sunday.
    pub weekday: usize,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
}

impl Stamp {
    /// In the time zone of this process. Before 1970 counts as 1970.
    #[expect(unsafe_code, reason = "only the C library knows the local time zone")]
    pub fn local(at: SystemTime) -> Self {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = libc::time_t::try_from(since.as_secs()).unwrap_or(libc::time_t::MAX);
        // SAFETY: `tm` is plain integers and one pointer, for which all zeroes is a valid value.
        let mut fields: libc::tm = unsafe { std::mem::zeroed() };
        // SAFETY: both pointers are valid for the call; on failure (a year beyond int) `fields`
        // stays zeroed, which is a valid if early date.
        unsafe { libc::localtime_r(&raw const seconds, &raw mut fields) };
        let small = |value: libc::c_int| u8::try_from(value).unwrap_or_default();
        Self {
            year: fields.tm_year.saturating_add(1900),
            month: usize::from(small(fields.tm_mon)),
            day: small(fields.tm_mday),
            weekday: usize::from(small(fields.tm_wday)),
            hour: small(fields.tm_hour),
            minute: small(fields.tm_min),
            second: small(fields.tm_sec),
        }
    }

    fn month_name(&self) -> &'static str {
        MONTHS.get(self.month).copied().unwrap_or("???")
    }

    fn clock(&self) -> String {
        format!("{:02}:{:02}:{:02}", self.hour, self.minute, self.second)
    }

    /// `Nov 05 15:13:11`
    pub fn short(&self) -> String {
        format!("{} {:02} {}", self.month_name(), self.day, self.clock())
    }

    /// `Nov  5 15:13:11`: RFC 3164 section 4.1.2.
    pub fn rfc3164(&self) -> String {
        format!("{} {:>2} {}", self.month_name(), self.day, self.clock())
    }

    /// `2026/11/05_15:13:11`
    pub fn numeric(&self) -> String {
        let (year, month) = (self.year, self.month + 1);
        format!("{year}/{month:02}/{:02}_{}", self.day, self.clock())
    }

    /// `Thu Nov  5 15:13:11 2026`: ctime(3) in the C locale.
    pub fn ctime(&self) -> String {
        let weekday = WEEKDAYS.get(self.weekday).copied().unwrap_or("???");
        format!("{weekday} {} {}", self.rfc3164(), self.year)
    }
}
