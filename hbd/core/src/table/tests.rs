#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn rows_keep_their_order_and_are_found_whatever_their_ids() {
    let mut table: Table<u32, &str> = [(90, "first"), (7, "second"), (41, "third")]
        .into_iter()
        .collect();
    assert_eq!(table.ids().collect::<Vec<_>>(), [90, 7, 41]);
    assert_eq!(
        table.values().copied().collect::<Vec<_>>(),
        ["first", "second", "third"]
    );
    for (place, id) in [90, 7, 41].into_iter().enumerate() {
        assert_eq!(table.place(id), Some(place));
        assert_eq!(table.at(place), Some((id, table.get(id).unwrap())));
    }
    assert_eq!(
        (table.get(0), table.place(42), table.at(3)),
        (None, None, None)
    );
    *table.get_mut(7).unwrap() = "changed";
    assert_eq!(table.get(7), Some(&"changed"));
}

#[test]
#[should_panic(expected = "an id names one thing")]
fn one_id_for_two_things_is_a_fault() {
    let _: Table<u32, ()> = [(1, ()), (2, ()), (1, ())].into_iter().collect();
}
