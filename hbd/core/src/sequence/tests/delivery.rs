//! Both halves against a bad network: whatever it loses, repeats and reorders, every message is
//! accepted exactly once after it recovers, and no acknowledgement covers a missing one.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::wire::Message;

/// What the network does to one packet.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Arrives,
    Lost,
    Doubled,
    /// Arrives after the next one that arrives.
    Delayed,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Arrives),
        2 => Just(Fate::Lost),
        1 => Just(Fate::Doubled),
        1 => Just(Fate::Delayed),
    ]
}

struct Pair {
    history: History,
    receiver: Receiver,
    accepted: BTreeSet<u64>,
    delayed: Vec<u64>,
    now: Instant,
}

impl Pair {
    fn send(&mut self, fate: Fate) {
        let seq = self.history.next_seq();
        let message = Message::new("status").with("seq", format!("{seq:x}"));
        self.history.record(message);
        self.carry(seq, fate);
    }

    fn carry(&mut self, seq: u64, fate: Fate) {
        match fate {
            Fate::Lost => {}
            Fate::Delayed => self.delayed.push(seq),
            Fate::Arrives => self.arrive(seq),
            Fate::Doubled => {
                self.arrive(seq);
                self.arrive(seq);
            }
        }
    }

    fn arrive(&mut self, seq: u64) {
        let verdict = self.receiver.receive(status(seq), seq, self.now);
        if let Verdict::Accept(accepted) = verdict {
            assert!(self.accepted.insert(seq), "{seq} accepted twice");
            if let Some(ack) = accepted.ack {
                let first = *self.accepted.first().unwrap();
                let all = (first..=ack).all(|seq| self.accepted.contains(&seq));
                assert!(all, "{ack} acknowledged too early");
                let taken = self.history.acknowledge("bob", ack);
                assert_eq!(taken, Acknowledgement::Advanced);
            }
        }
        for seq in std::mem::take(&mut self.delayed) {
            self.arrive(seq);
        }
    }

    /// Lets the next requests become due, and answers them.
    fn ask_again(&mut self, fate: Fate) {
        self.now = self
            .receiver
            .deadline()
            .map_or(self.now, |at| at.max(self.now));
        for request in self.receiver.requests(self.now) {
            for answer in self
                .history
                .answer("bob", request.first, request.last, self.now)
            {
                match answer {
                    Answer::Resend(message) => self.carry(message.hex("seq").unwrap(), fate),
                    Answer::Nak { seq } | Answer::BeyondHighest { seq, .. } => {
                        panic!("{seq} cannot be sent again");
                    }
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn every_message_is_accepted_once_after_the_network_recovers(
        fates in vec((fate(), fate()), 1..200),
    ) {
        let mut pair = Pair {
            history: History::new(DELAY),
            receiver: Receiver::new(RESIDUE, DELAY),
            accepted: BTreeSet::new(),
            delayed: Vec::new(),
            now: Instant::now(),
        };
        pair.send(Fate::Arrives);
        for (sent, resent) in fates {
            pair.send(sent);
            pair.ask_again(resent);
        }
        pair.send(Fate::Arrives);
        for _ in 0..20 {
            pair.ask_again(Fate::Arrives);
        }
        prop_assert_eq!(pair.accepted.len() as u64, pair.history.highest());
        prop_assert_eq!(pair.receiver.deadline(), None);
        let beyond = pair.history.highest() - pair.history.acknowledged_by("bob");
        prop_assert!(beyond < ACK_PERIOD || pair.history.highest() < 2 * ACK_PERIOD, "{}", beyond);
    }
}
