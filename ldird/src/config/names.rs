//! Host names: asking for their addresses without waiting long, and asking again for those that had
//! none.
//!
//! ```text
//!   load ──► ask all, side by side, LOAD_LIMIT ──► answers ──► expand
//!                                       missing ──► found_late: ask again, ever more seldom
//!                                       known   ──► the same, at `reresolve`
//! ```
//!
//! A name that had an address keeps it while no name server answers, or none has an address for it.
//! Another address is not taken at its word where a check can tell: it is on trial beside the one that
//! works, and the name has it when it has passed (`accept`). What a missing name means is decided in
//! `expand`: it costs the server that bears it, nothing more.

use super::given::Family;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::time::sleep_until;

/// How long a start or reload waits for name servers, all names together. Later answers come in by
/// the way of [`Names::found_late`].
const LOAD_LIMIT: Duration = Duration::from_secs(2);
/// One round of asking again in the background.
const ROUND_LIMIT: Duration = Duration::from_secs(30);
/// The first pause between two rounds; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Look-ups under way in the process, those that nobody waits for any more included. A system's
/// resolver cannot be interrupted.
const LOOK_UPS_MAX: usize = 16;

static LOOK_UPS: AtomicUsize = AtomicUsize::new(0);

/// A name and the kind of address wanted of it.
pub(crate) type Name = (String, Family);

/// Names with their addresses.
pub(crate) type Known = BTreeMap<Name, IpAddr>;

/// All addresses that are known to it.
type Ask = dyn Fn(&str, Family) -> Vec<IpAddr> + Send + Sync;

/// Whom to ask, and what is known.
#[derive(Clone)]
pub(crate) struct Names {
    ask: Arc<Ask>,
    /// Answers, of now or of earlier.
    known: Known,
    /// Other answers of now, on trial beside those that are known.
    trials: Known,
    /// Whose other addresses are tried: names of single real servers.
    tried: BTreeSet<Name>,
    /// Other addresses are taken at their word.
    trusting: bool,
    /// Those of `known` that nobody confirmed the last time.
    kept: BTreeSet<Name>,
    missing: BTreeSet<Name>,
    /// Names of virtual services: only a reload follows them, for the address itself is somebody
    /// else's to move.
    fixed: BTreeSet<Name>,
    offline: bool,
}

/// What is known about a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Address(IpAddr),
    /// It does not resolve now; this was its address.
    Kept(IpAddr),
    Missing,
}

impl Names {
    /// Asks the system.
    pub(crate) fn new() -> Self {
        Self::asking(look_up)
    }

    /// Asks this function, which may take its time.
    pub(crate) fn asking<A: IntoIterator<Item = IpAddr>>(
        ask: impl Fn(&str, Family) -> A + Send + Sync + 'static,
    ) -> Self {
        Self {
            ask: Arc::new(move |name, family| ask(name, family).into_iter().collect()),
            known: BTreeMap::new(),
            trials: BTreeMap::new(),
            tried: BTreeSet::new(),
            trusting: false,
            kept: BTreeSet::new(),
            missing: BTreeSet::new(),
            fixed: BTreeSet::new(),
            offline: false,
        }
    }

    /// Begins with what an earlier life knew.
    pub(crate) fn knowing(mut self, known: Known) -> Self {
        self.known = known;
        self
    }

    pub(crate) fn known(&self) -> &Known {
        &self.known
    }

    /// Asks nobody: only names that need no asking have an address.
    pub(crate) fn offline() -> Self {
        Self {
            offline: true,
            ..Self::asking(|name, family| by_rule(name, family).flatten())
        }
    }

    pub(super) fn is_offline(&self) -> bool {
        self.offline
    }

    /// Asks for all of these, and forgets all others.
    pub(super) fn refresh(&mut self, wanted: BTreeSet<Name>) {
        let found = self.look_up(wanted.iter().cloned().collect(), LOAD_LIMIT);
        self.known.retain(|name, _| wanted.contains(name));
        let tried = &self.tried;
        self.trials.retain(|name, _| tried.contains(name));
        self.kept = self.known.keys().cloned().collect();
        for (name, addresses) in found {
            self.kept.remove(&name);
            self.learn(name, &addresses);
        }
        self.missing = wanted;
        self.missing.retain(|name| !self.known.contains_key(name));
        self.trusting = false;
    }

    /// These are not followed between reloads.
    pub(super) fn fix(&mut self, names: BTreeSet<Name>) {
        self.fixed = names;
    }

    /// Other addresses of these are tried first.
    pub(super) fn try_out(&mut self, names: BTreeSet<Name>) {
        self.tried = names;
    }

    /// The next answers are taken at their word: somebody says that they are right.
    pub(crate) fn trusting(mut self) -> Self {
        self.trusting = true;
        self
    }

    /// The address on trial for a name.
    pub(super) fn trial(&self, name: &Name) -> Option<IpAddr> {
        self.trials.get(name).copied()
    }

    /// What is on trial for these has passed: the names have it.
    pub(crate) fn accept<'a>(mut self, names: impl IntoIterator<Item = &'a Name>) -> Self {
        for name in names {
            if let Some(address) = self.trials.remove(name) {
                self.kept.remove(name);
                self.known.insert(name.clone(), address);
            }
        }
        self
    }

    /// What is on trial here and was not before.
    pub(super) fn newly_tried(&self, before: &Self) -> Vec<Name> {
        let trials = self.trials.iter();
        let new = trials.filter(|(name, address)| before.trials.get(*name) != Some(*address));
        new.map(|(name, _)| name.clone()).collect()
    }

    /// Are the addresses the same, whoever has confirmed them?
    pub(crate) fn say_the_same(&self, other: &Self) -> bool {
        (&self.known, &self.trials) == (&other.known, &other.trials)
    }

    /// Takes the first of its addresses, unless it has the one that is known as well: a name server
    /// that tells them in another order each time moves nothing. Is anything new?
    fn learn(&mut self, name: Name, addresses: &[IpAddr]) -> bool {
        let Some(first) = addresses.first() else {
            return false;
        };
        let (known, tried) = (self.known.get(&name), self.trials.get(&name));
        if known.is_some_and(|known| addresses.contains(known)) {
            return self.trials.remove(&name).is_some();
        }
        if known.is_some() && self.tried.contains(&name) && !self.trusting {
            let goes_on = tried.is_some_and(|tried| addresses.contains(tried));
            if !goes_on {
                self.trials.insert(name, *first);
            }
            return !goes_on;
        }
        self.missing.remove(&name);
        self.trials.remove(&name);
        self.known.insert(name, *first);
        true
    }

    /// What these say that `before` did not, in a line.
    pub(crate) fn news(&self, before: &Self) -> String {
        let moved = self.known.iter().filter_map(|(name, address)| {
            let was = before.known.get(name)?;
            (was != address).then(|| format!("{} is {address} now, not {was}", name.0))
        });
        let tried = self.newly_tried(before).into_iter().filter_map(|name| {
            let (known, tried) = (self.known.get(&name)?, self.trials.get(&name)?);
            let (name, _) = name;
            Some(format!(
                "{name} is said to be {tried}, and stays {known} until that has passed a check"
            ))
        });
        let given_up = before.trials.iter().filter_map(|(name, tried)| {
            let known = self.known.get(name).filter(|known| *known != tried)?;
            let gone = !self.trials.contains_key(name);
            gone.then(|| format!("{} is {known} again, not {tried}", name.0))
        });
        let lost = self.kept.difference(&before.kept).filter_map(|name| {
            let known = self.known.get(name)?;
            Some(format!("{} does not resolve, and stays {known}", name.0))
        });
        let known = |name: &&Name| self.known.contains_key(*name);
        let found = before.kept.difference(&self.kept).filter(known);
        let found = found.map(|name| format!("{} resolves again", name.0));
        let addresses = listed(moved.chain(tried).chain(given_up).collect());
        let answers = listed(lost.chain(found).collect());
        match (addresses.as_str(), answers.as_str()) {
            ("", "") => "Names resolve that did not before: their servers join".to_owned(),
            ("", answers) => format!("Names: {answers}"),
            (addresses, _) => format!("Names have other addresses: {addresses}"),
        }
    }

    pub(super) fn answer(&self, name: &Name) -> Answer {
        match self.known.get(name) {
            Some(&address) if self.kept.contains(name) => Answer::Kept(address),
            Some(&address) => Answer::Address(address),
            None => Answer::Missing,
        }
    }

    /// Is nothing to be asked any more: has every name an address, and has somebody confirmed it?
    pub(crate) fn is_settled(&self) -> bool {
        self.open().next().is_none()
    }

    /// Names to be asked for until somebody answers: those without an address, and those whose address
    /// is of earlier.
    fn open(&self) -> impl Iterator<Item = &Name> {
        let kept = self.kept.iter().filter(|name| !self.fixed.contains(*name));
        self.missing.iter().chain(kept)
    }

    /// The names of this address, as the file writes them: maintenance files may bear them.
    #[cfg_attr(not(test), expect(dead_code, reason = "the watch asks for it"))]
    pub(crate) fn of(&self, address: IpAddr) -> impl Iterator<Item = &str> {
        let mine = move |(_, known): &(_, &IpAddr)| **known == address;
        self.known
            .iter()
            .filter(mine)
            .map(|((name, _), _)| name.as_str())
    }

    /// Asks for the missing names until one of them has an address, and for those that keep one of
    /// earlier until somebody answers. Pauses grow, so that a name
    /// that is simply wrong costs one look-up a minute. Those that are known are asked for again as
    /// often as `again` says, until one of them has another address. `patient`: the last news could not
    /// be used, and the same again need not come soon.
    pub(crate) async fn found_late(mut self, again: Option<Duration>, patient: bool) -> Self {
        let mut pause = if patient { LONGEST_PAUSE } else { FIRST_PAUSE };
        let mut missing_at = Instant::now() + pause;
        let mut known_at = again.map(|again| Instant::now() + again);
        loop {
            let missing = (!self.is_settled()).then_some(missing_at);
            let Some(next) = [missing, known_at].into_iter().flatten().min() else {
                return std::future::pending().await;
            };
            sleep_until(next.into()).await;
            let now = Instant::now();
            let mut wanted = VecDeque::new();
            if missing.is_some_and(|at| at <= now) {
                pause = (pause * 2).min(LONGEST_PAUSE);
                missing_at = now + pause;
                wanted.extend(self.open().cloned());
            }
            if known_at.is_some_and(|at| at <= now) {
                known_at = again.map(|again| now + again);
                let known = self.known.keys();
                wanted.extend(known.filter(|name| !self.fixed.contains(*name)).cloned());
            }
            let (asking, asked) = (self.clone(), wanted.clone());
            let (sender, answers) = oneshot::channel();
            // A thread of its own: it may outlive the director's loop, which must not wait for it.
            std::thread::spawn(move || sender.send(asking.look_up(wanted, ROUND_LIMIT)));
            let found = answers.await.unwrap_or_default();
            if self.hear(asked, found) {
                return self;
            }
        }
    }

    /// A round is over; is anything new?
    fn hear(&mut self, asked: VecDeque<Name>, found: BTreeMap<Name, Vec<IpAddr>>) -> bool {
        let mut news = false;
        for name in asked {
            if self.known.contains_key(&name) && !found.contains_key(&name) {
                news |= self.kept.insert(name);
            }
        }
        for (name, addresses) in found {
            news |= self.kept.remove(&name);
            news |= self.learn(name, &addresses);
        }
        news
    }

    /// Asks for these side by side; those that are not answered within the limit are left out.
    fn look_up(&self, wanted: VecDeque<Name>, limit: Duration) -> BTreeMap<Name, Vec<IpAddr>> {
        let deadline = Instant::now() + limit;
        let (sender, answers) = mpsc::channel();
        let askers = wanted.len().min(LOOK_UPS_MAX);
        let queue = Arc::new(Mutex::new(wanted));
        for slot in std::iter::from_fn(Slot::take).take(askers) {
            let (ask, queue, sender) = (Arc::clone(&self.ask), Arc::clone(&queue), sender.clone());
            std::thread::spawn(move || {
                let _slot = slot;
                while Instant::now() < deadline {
                    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
                    let Some(name) = queue.pop_front() else {
                        return;
                    };
                    drop(queue);
                    let addresses = ask(&name.0, name.1);
                    // Nobody waits any more: the next round asks again.
                    let _ = sender.send((name, addresses));
                }
            });
        }
        drop(sender);
        let mut found = BTreeMap::new();
        while let Ok((name, addresses)) =
            answers.recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            if !addresses.is_empty() {
                found.insert(name, addresses);
            }
        }
        found
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names")
            .field("known", &self.known)
            .field("trials", &self.trials)
            .field("missing", &self.missing)
            .finish_non_exhaustive()
    }
}

/// The first of these, in a line.
fn listed(mut clauses: Vec<String>) -> String {
    const NAMED: usize = 5;
    let more = clauses.len().saturating_sub(NAMED);
    clauses.truncate(NAMED);
    if more > 0 {
        clauses.push(format!("and {more} more"));
    }
    clauses.join("; ")
}

/// Leave for one look-up.
struct Slot;

impl Slot {
    fn take() -> Option<Self> {
        let more = |taken: usize| (taken < LOOK_UPS_MAX).then_some(taken + 1);
        let taken = LOOK_UPS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.ok().map(|_| Self)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        LOOK_UPS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The addresses of that family.
fn look_up(name: &str, family: Family) -> Vec<IpAddr> {
    if let Some(known) = by_rule(name, family) {
        return known.into_iter().collect();
    }
    let found = (name, 0).to_socket_addrs().into_iter().flatten();
    let mine = |address: &IpAddr| match family {
        Family::V4 => address.is_ipv4(),
        Family::V6 => address.is_ipv6(),
    };
    found.map(|found| found.ip()).filter(mine).collect()
}

/// Names for which nobody need be asked (RFC 6761, sections 6.3 and 6.4).
#[expect(clippy::option_option, reason = "known to have none is not unknown")]
fn by_rule(name: &str, family: Family) -> Option<Option<IpAddr>> {
    if name.ends_with(".invalid") {
        return Some(None);
    }
    (name == "localhost").then_some(Some(match family {
        Family::V4 => Ipv4Addr::LOCALHOST.into(),
        Family::V6 => Ipv6Addr::LOCALHOST.into(),
    }))
}

#[cfg(test)]
mod tests;
