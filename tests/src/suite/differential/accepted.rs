//! Where ldird's table is not the old director's, on purpose: the rows of the conformance table that say so.

use super::Accepted;
use super::Step::{self, AllDown, Back, Maintenance, OneDown, Reload, Up};

/// While somebody answers at the first address.
const ALIVE: &[Step] = &[Up, OneDown, Maintenance, Back, Reload];
/// While somebody answers at the second.
const WHOLE: &[Step] = &[Up, Back, Reload];
/// As long as a director runs.
const ALWAYS: &[Step] = &[Up, OneDown, Maintenance, AllDown, Back, Reload];

pub(super) const ACCEPTED: &[Accepted] = &[
    // A certificate that nobody vouches for is no reason to be down.
    Accepted {
        row: "K12",
        service: "-t 10.20.1.10:8443",
        steps: ALIVE,
        old: "",
        new: "10.10.0.21:8443 -g -w 1",
    },
    // A pop server that nobody logs in to is up without being asked.
    Accepted {
        row: "2.10",
        service: "-t 10.20.1.14:110",
        steps: &[AllDown],
        old: "10.10.0.21:110 -g -w 7",
        new: "",
    },
    // An ftp server of which nothing is expected is up though it refuses.
    Accepted {
        row: "K34",
        service: "-t 10.20.1.21:21",
        steps: &[AllDown],
        old: "10.10.0.21:21 -m -w 4",
        new: "",
    },
    // A command with arguments is not found.
    Accepted {
        row: "K22",
        service: "-t 10.20.1.41:7004",
        steps: ALIVE,
        old: "",
        new: "10.10.0.21:7004 -g -w 1",
    },
    // Without checks the fallback serves, whatever the manual says.
    Accepted {
        row: "2.1",
        service: "-t 10.20.1.43:7006",
        steps: ALWAYS,
        old: "10.10.0.29:7006 -g -w 1",
        new: "",
    },
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
    // A fallback for all is none for a mark.
    Accepted {
        row: "1.9",
        service: "-f 6",
        steps: &[AllDown],
        old: "10.10.0.21:0 -g -w 0",
        new: "10.10.0.21:0 -g -w 0, 127.0.0.1:0 -g -w 1",
    },
    // Another port than imap's is not asked.
    Accepted {
        row: "K32",
        service: "-t 10.20.5.13:1143",
        steps: ALWAYS,
        old: "10.10.0.29:1143 -g -w 1",
        new: "",
    },
    // A name server of which no answer is expected is down.
    Accepted {
        row: "K37",
        service: "-u 10.20.5.16:53",
        steps: ALWAYS,
        old: "",
        new: "10.10.0.29:53 -g -w 1",
    },
    // There is no ping over IPv6.
    Accepted {
        row: "K18",
        service: "-t [fd00:20::3]:7000",
        steps: ALIVE,
        old: "",
        new: "[fd00:10::31]:7000 -g -w 1",
    },
];
