//! A rule that finds nothing must have been able to find something.

use super::{Arrows, circles_of};

fn arrows(pairs: &[(&str, &str)]) -> Arrows {
    let mut arrows = Arrows::new();
    for (from, to) in pairs {
        let module = |name: &str| vec![name.to_owned()];
        arrows.entry(module(to)).or_default();
        arrows.entry(module(from)).or_default().insert(module(to));
    }
    arrows
}

#[test]
fn a_circle_is_found_once_and_by_its_shortest_way() {
    let found = circles_of(&arrows(&[("a", "b"), ("b", "c"), ("c", "a"), ("b", "a")]));
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0], [["a"], ["b"], ["a"]]);
}

#[test]
fn what_only_leads_on_is_no_circle() {
    assert!(circles_of(&arrows(&[("a", "b"), ("a", "c"), ("b", "c")])).is_empty());
}
