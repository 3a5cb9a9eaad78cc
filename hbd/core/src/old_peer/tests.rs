use super::*;

const SETS: [HoldSet; 4] = [
    HoldSet::None,
    HoldSet::Local,
    HoldSet::Foreign,
    HoldSet::All,
];

fn peer(holds: Option<HoldSet>, stable: bool, giving: bool) -> OldPeer {
    OldPeer {
        holds,
        stable,
        giving,
    }
}

/// Every state with every word: what is said after it, and what is then known.
#[test]
fn every_word_has_its_answer_in_every_state() {
    let states = SETS.map(Some).into_iter().chain([None]);
    for holds in states {
        for (stable, giving) in [(false, false), (false, true), (true, false), (true, true)] {
            let hear = |word| {
                let mut peer = peer(holds, stable, giving);
                let answer = peer.hear(word);
                (answer, peer)
            };
            let (answer, after) = hear(Word::Starting);
            assert_eq!((answer, after.stable), (Answer::Report, false));
            for set in SETS {
                let (answer, after) = hear(Word::Full {
                    holds: set,
                    stable: true,
                });
                let reply = if stable {
                    Answer::Nothing
                } else {
                    Answer::Report
                };
                assert_eq!((answer, after.holds), (reply, Some(set)));
                let (answer, after) = hear(Word::Gives(set));
                assert_eq!((answer, after.giving), (Answer::Accept(set), true));
                let (answer, after) = hear(Word::Gave(set));
                let reply = if giving {
                    Answer::Take(set)
                } else {
                    Answer::Nothing
                };
                assert_eq!((answer, after.giving), (reply, false));
            }
            assert_eq!(hear(Word::Other).0, Answer::Nothing);
        }
    }
}

#[test]
fn only_what_a_settled_peer_does_not_name_is_free() {
    let free = |peer: OldPeer| [true, false].map(|home| peer.run(home) == RunState::Stopped);
    assert_eq!(free(OldPeer::default()), [false, false]);
    assert_eq!(free(peer(Some(HoldSet::None), false, false)), [false; 2]);
    let local = peer(Some(HoldSet::Local), true, false);
    assert_eq!(free(local), [false, true]);
    let mut giver = peer(Some(HoldSet::All), true, false);
    giver.hear(Word::Gives(HoldSet::Foreign));
    assert_eq!(free(giver), [false, false]);
    giver.hear(Word::Full {
        holds: HoldSet::Local,
        stable: false,
    });
    assert_eq!(free(giver), [false, false]);
    giver.hear(Word::Gave(HoldSet::Foreign));
    assert_eq!(free(giver), [false, true]);
    giver.hear(Word::More(HoldSet::Foreign));
    assert_eq!(free(giver), [false, false]);
}
