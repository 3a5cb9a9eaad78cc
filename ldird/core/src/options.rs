//! What a virtual service may ask for beyond what ldirectord did. All of it is off by default.

use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Passed checks in a row that bring a real server back that was down, ≥ 1. The first check of
    /// one that nothing is known of, or whose maintenance has ended, counts at once.
    pub risecount: u32,
    /// What others change in the service's rows is put back.
    pub enforce: bool,
    /// Over so long a real server that comes back gets its weight; `None`: at once.
    pub slowstart: Option<Duration>,
    pub panic: Option<Panic>,
    pub opinion: Option<SecondOpinion>,
}

/// How often in a row a check must fail to take a server down, and pass to bring it back; ≥ 1 each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub failures: u32,
    pub passes: u32,
}

/// When many real servers fail at once, it is more likely us than them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Panic {
    /// Weights are held when more than so many of a hundred fail within one interval.
    pub percent: u32,
    /// No longer than this: then the verdicts count.
    pub longest: Duration,
}

/// Before the last real server leaves, other directors are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecondOpinion {
    /// Who fails here and is found up elsewhere stays no longer than this, > 0.
    pub longest: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            risecount: 1,
            enforce: false,
            slowstart: None,
            panic: None,
            opinion: None,
        }
    }
}
