//! The rows of the conformance table of ldirectord 4.12: inputs and events, each with what the old director
//! makes of it, by their numbers and by what ldird owes them. A test that is about a row has its number at
//! the beginning of its name, as `t17_a_stop_removes_the_service`.

/// ldird does the same: a file, a script or a habit depends on it.
pub(super) const MATCHED: &str = "\
    P1 P2 P4 P9 P10 P11 P12 P14 P15 P16 P19 P21 P22 P24 P25 P27 P30 P31 P32 P34 P35 P37 P42 P44 P45 P46 \
    P47 P50 P51 P52 P55 P56 P57 P59 P60 P62 P64 P66 P67 P71 P76 P77 P79 P75 R1 R2 R3 R5 R6 R7 R8 R10 R11 \
    R13 R16 R20 R27 R28 R32 R33 R35 R36 R37 R38 R40 R41 R42 T1 T2 T3 T4 T6 T7 T8 T11 T13 T14 T16 T17 T18 \
    T19 T21 T22 T23 T24 T26 T27 T32 T33 T34 T36 T37 T38 T39 T41 T43 T44 T46 T47 T48 T49 T51 T54 K1 K2 K3 \
    K4 K6 K8 K9 K11 K14 K16 K17 K19 K21 K23 K24 K26 K27 K28 K29 K31 K33 K36 K38 K39 K41 K42 K43 K44 K46 \
    K47 K48 K51 K52 K53 K56 C1 C2 C3 C5 C6 C7 C8 C10 C12 C13 C15 C16 C17 C18 C20 C21 L1 L3 L4 L5 L6 L8 \
    L9 L10 L11";

/// A defect of the old director: ldird does better, always.
pub(super) const IMPROVED: &str = "\
    P36 P49 P61 P65 R15 R17 R18 R22 R23 R25 R26 R30 R31 R43 T9 T12 T29 T31 T42 T52 T53 K7 K13 K18 K32 \
    K34 K49 K54 C11";

/// ldird does better by default.
pub(super) const CHANGED: &str = "\
    P5 P6 P7 P17 P20 P26 P29 P39 P40 P41 P54 P69 P70 P72 P78 R12 R21 T28 K12 K22 K37 C22 L13 L14";

/// Matched rows where ldird does something else all the same, and why.
pub(super) const DELIBERATE: &[(&str, &str)] = &[
    (
        "P1",
        "a file without any virtual service would empty the table at a reload: it is an error",
    ),
    ("P2", "as P1"),
    (
        "T27",
        "a real server that others deleted is put back: maintenancedir and drain take it out for good",
    ),
];

/// All of them.
pub(super) fn all() -> impl Iterator<Item = &'static str> {
    let kinds = [MATCHED, IMPROVED, CHANGED].into_iter();
    kinds.flat_map(str::split_whitespace)
}

/// The numbers at the beginning of a test's name; more has to follow.
pub(super) fn named(test: &str) -> Vec<String> {
    let is_row = |word: &&str| {
        let number = word.strip_prefix(['p', 'r', 't', 'k', 'c', 'l']);
        number.is_some_and(|number| {
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    let words: Vec<&str> = test.split('_').collect();
    let rows: Vec<&&str> = words.iter().take_while(|word| is_row(word)).collect();
    if rows.len() == words.len() {
        return Vec::new();
    }
    rows.iter().map(|row| row.to_ascii_uppercase()).collect()
}
