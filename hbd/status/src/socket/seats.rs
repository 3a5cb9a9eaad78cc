//! Who may stay when everybody wants to look: a bounded number of clients, the longest idle leaves for
//! a new one, and some places are for root alone, so that sixty forgotten connections lock no operator
//! out of `status` and `stop`.

use super::{caller::ClientId, outbox::Outbox};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Clients served at once.
pub const CLIENTS_MAX: usize = 64;

/// Of these, only for root.
pub const ROOT_PLACES: usize = 8;

/// A client that has asked or been told something within this time is not idle: only root takes its
/// place.
const IDLE_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Seats {
    taken: Vec<Seat>,
}

#[derive(Debug)]
struct Seat {
    client: ClientId,
    root: bool,
    outbox: Arc<Outbox>,
}

impl Seats {
    /// A place for a newcomer, if need be that of the longest idle, who is told so. Else the reason.
    pub(super) fn take(
        &mut self,
        client: ClientId,
        uid: Option<u32>,
        outbox: &Arc<Outbox>,
        now: Instant,
    ) -> Result<(), String> {
        let root = uid == Some(0);
        let limit = if root {
            CLIENTS_MAX
        } else {
            CLIENTS_MAX - ROOT_PLACES
        };
        let others = self.taken.iter().filter(|seat| root || !seat.root).count();
        if others >= limit || self.taken.len() >= CLIENTS_MAX {
            self.free(root, now)
                .ok_or_else(|| format!("{others} clients are served already, none of them idle"))?;
        }
        let outbox = Arc::clone(outbox);
        self.taken.push(Seat {
            client,
            root,
            outbox,
        });
        Ok(())
    }

    /// A client has ended; without its name, whoever has no open outbox any more.
    pub(super) fn leave(&mut self, client: Option<ClientId>) {
        self.taken.retain(|seat| match client {
            Some(client) => seat.client != client,
            None => !seat.outbox.is_closed(),
        });
    }

    /// Sends the longest idle away: never one of root's for somebody else.
    fn free(&mut self, for_root: bool, now: Instant) -> Option<()> {
        let seats = self.taken.iter().enumerate();
        let candidates = seats.filter(|(_, seat)| for_root || !seat.root);
        let idle = candidates.map(|(at, seat)| (seat.outbox.idle(now), at, seat));
        let idle = idle.filter(|(idle, ..)| for_root || *idle >= IDLE_AFTER);
        // Root's own are the last that root sends away.
        let (_, at, _) = idle.max_by_key(|(idle, _, seat)| (!seat.root, *idle))?;
        let seat = self.taken.swap_remove(at);
        seat.outbox
            .cut("dropped: idle for the longest while others waited, connect again");
        Some(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const USER: Option<u32> = Some(1000);
    const ROOT: Option<u32> = Some(0);

    struct Hall {
        seats: Seats,
        next: u64,
        start: Instant,
    }

    impl Hall {
        fn new() -> Self {
            Self {
                seats: Seats::default(),
                next: 0,
                start: Instant::now(),
            }
        }

        /// Somebody comes so many seconds after the start.
        fn come(&mut self, uid: Option<u32>, second: u64) -> Result<Arc<Outbox>, String> {
            self.next += 1;
            let outbox = Arc::new(Outbox::default());
            let now = self.start + Duration::from_secs(second);
            let id = ClientId(self.next);
            self.seats.take(id, uid, &outbox, now).map(|()| outbox)
        }

        fn fill(&mut self, uid: Option<u32>, count: usize) -> Vec<Arc<Outbox>> {
            (0..count).map(|_| self.come(uid, 0).unwrap()).collect()
        }
    }

    #[test]
    fn forgotten_connections_leave_for_new_ones_the_longest_idle_first() {
        let mut hall = Hall::new();
        let old = hall.fill(USER, CLIENTS_MAX - ROOT_PLACES);
        for seat in old.iter().skip(1) {
            seat.touch();
        }
        hall.come(USER, 5).unwrap();
        assert!(old[0].is_closed(), "nobody was idle for longer");
        assert_eq!(old.iter().filter(|seat| seat.is_closed()).count(), 1);
    }

    #[test]
    fn nobody_who_is_busy_is_sent_away_for_an_ordinary_user() {
        let mut hall = Hall::new();
        let old = hall.fill(USER, CLIENTS_MAX - ROOT_PLACES);
        assert!(hall.come(USER, 0).is_err());
        assert!(old.iter().all(|seat| !seat.is_closed()));
    }

    #[test]
    fn root_always_gets_in() {
        let mut hall = Hall::new();
        hall.fill(USER, CLIENTS_MAX - ROOT_PLACES);
        let own = hall.fill(ROOT, ROOT_PLACES);
        hall.fill(ROOT, CLIENTS_MAX - ROOT_PLACES);
        assert!(
            own.iter().all(|seat| !seat.is_closed()),
            "others leave first"
        );
        assert!(hall.come(USER, 60).is_err(), "nobody leaves for a user");
        hall.fill(ROOT, 2 * CLIENTS_MAX);
        assert_eq!(hall.seats.taken.len(), CLIENTS_MAX);
    }

    #[test]
    fn who_has_left_takes_no_place() {
        let mut hall = Hall::new();
        let old = hall.fill(USER, CLIENTS_MAX - ROOT_PLACES);
        hall.seats.leave(Some(ClientId(1)));
        hall.come(USER, 0).unwrap();
        old[3].close();
        hall.seats.leave(None);
        hall.come(USER, 0).unwrap();
        assert!(hall.come(USER, 0).is_err());
    }
}
