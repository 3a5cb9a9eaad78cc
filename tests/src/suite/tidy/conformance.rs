//! Every row of the old director's conformance table has a test that is named after it.

use std::collections::BTreeSet;

use anyhow::Result;
use quote::ToTokens as _;

use super::super::rows;
use super::{source, verdict};

pub(super) fn rows_have_tests() -> Result<()> {
    let mut tested = BTreeSet::new();
    for source in source::all()? {
        source::identifiers(source.syntax.to_token_stream(), &mut |name| {
            tested.extend(rows::named(&name));
        });
    }
    let missing = rows::all().filter(|row| !tested.contains(*row));
    let missing = missing.map(|row| format!("row {row}: no test is named after it"));
    let matched: Vec<&str> = rows::MATCHED.split_whitespace().collect();
    let excused = rows::DELIBERATE.iter();
    let strange = excused.filter(|(row, why)| !matched.contains(row) || why.is_empty());
    let strange = strange.map(|(row, _)| format!("row {row}: is no matched row, or has no reason"));
    verdict(missing.chain(strange).collect())
}
