//! Where ldird's table is not the old director's, on purpose: the rows of the conformance table that say so.

use super::Accepted;
use super::Step::{self, AllDown, Back, Maintenance, OneDown, Reload, Up};

/// While somebody answers at the second address.
const WHOLE: &[Step] = &[Up, Back, Reload];

pub(super) const ACCEPTED: &[Accepted] = &[
    // Who goes to weight 0 loses its thresholds.
    Accepted {
        row: "T9",
        service: "-t 10.20.2.15:21",
        steps: &[OneDown, Maintenance],
        old: "10.10.0.21:21 -m -w 1 u:20 l:10, 10.10.0.22:21 -m -w 0",
        new: "10.10.0.21:21 -m -w 1 u:20 l:10, 10.10.0.22:21 -m -w 0 u:9 l:0",
    },
    Accepted {
        row: "T9",
        service: "-t 10.20.2.15:21",
        steps: &[AllDown],
        old: "10.10.0.21:21 -m -w 0, 10.10.0.22:21 -m -w 0",
        new: "10.10.0.21:21 -m -w 0 u:20 l:10, 10.10.0.22:21 -m -w 0 u:9 l:0",
    },
    // A real server of weight 0 keeps the fallback out, and nobody serves.
    Accepted {
        row: "T52",
        service: "-t 10.20.2.16:21",
        steps: WHOLE,
        old: "10.10.0.22:21 -m -w 0",
        new: "10.10.0.22:21 -m -w 0, 10.10.0.29:21 -m -w 1",
    },
    // The kernel has it at the service's port, where it is not looked for: it never leaves weight 0.
    Accepted {
        row: "3.8",
        service: "-t 10.20.2.17:80",
        steps: WHOLE,
        old: "10.10.0.22:80 -g -w 0",
        new: "10.10.0.22:80 -g -w 4",
    },
];
