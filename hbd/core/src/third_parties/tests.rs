use super::*;

#[test]
fn an_absence_is_news_once_until_the_node_was_there_again() {
    let node = NodeId::new;
    let mut all = ThirdParties::default();
    assert_eq!(all.note_absent(BTreeSet::from([node(7)])), [node(7)]);
    let both = BTreeSet::from([node(3), node(7)]);
    assert_eq!(all.note_absent(both.clone()), [node(3)]);
    assert!(all.note_absent(both).is_empty());
    assert!(all.note_absent(BTreeSet::from([node(3)])).is_empty());
    let again = all.note_absent(BTreeSet::from([node(3), node(7)]));
    assert_eq!(again, [node(7)]);
    assert_eq!(all.absent().len(), 2);
}
