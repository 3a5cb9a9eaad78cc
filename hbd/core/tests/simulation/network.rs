//! The links: which packets arrive, when, and how often.

use crate::faults::{MILLI, Micros, NetworkFaults};
use crate::generator::Generator;

/// Cables between all nodes, one per link.
pub(crate) struct Network {
    faults: NetworkFaults,
    links: u16,
    nodes: usize,
    /// How many faults cut each direction of each link at the moment.
    cuts: Vec<u32>,
    /// The last arrival of each direction: without long delays packets stay in order.
    last: Vec<Micros>,
}

impl Network {
    pub(crate) fn new(faults: NetworkFaults, nodes: usize, links: u16) -> Self {
        let ways = nodes * nodes * usize::from(links);
        Self {
            faults,
            links,
            nodes,
            cuts: vec![0; ways],
            last: vec![0; ways],
        }
    }

    /// When copies of a packet sent now arrive.
    pub(crate) fn carry(
        &mut self,
        (from, to, link): (usize, usize, u16),
        now: Micros,
        random: &mut Generator,
    ) -> Vec<Micros> {
        if self.is_cut(from, to, link) || random.percent(self.faults.loss) {
            return Vec::new();
        }
        let copies = if random.percent(self.faults.duplicate) {
            2
        } else {
            1
        };
        let replay = random.percent(self.faults.replay);
        let later = now + random.between(1, 8000) * MILLI;
        let place = self.place(from, to, link);
        let last = &mut self.last[place];
        let arrivals = (0..copies).map(|_| {
            let at = now + random.between(50, self.faults.delay.max(100));
            if self.faults.delay > MILLI {
                return at;
            }
            *last = at.max(*last + 1);
            *last
        });
        arrivals.chain(replay.then_some(later)).collect()
    }

    pub(crate) fn cut(&mut self, from: usize, to: usize, link: Option<u16>) {
        for link in self.meant(link) {
            let place = self.place(from, to, link);
            self.cuts[place] += 1;
        }
    }

    pub(crate) fn join(&mut self, from: usize, to: usize, link: Option<u16>) {
        for link in self.meant(link) {
            let place = self.place(from, to, link);
            self.cuts[place] = self.cuts[place].saturating_sub(1);
        }
    }

    /// All faults end.
    pub(crate) fn calm(&mut self) {
        self.cuts.fill(0);
        self.faults = NetworkFaults {
            delay: self.faults.delay.min(MILLI / 2),
            ..NetworkFaults::default()
        };
    }

    /// Is there a way from one node to the other?
    pub(crate) fn connects(&self, from: usize, to: usize) -> bool {
        (0..self.links).any(|link| !self.is_cut(from, to, link))
    }

    fn is_cut(&self, from: usize, to: usize, link: u16) -> bool {
        self.cuts[self.place(from, to, link)] > 0
    }

    fn place(&self, from: usize, to: usize, link: u16) -> usize {
        (from * self.nodes + to) * usize::from(self.links) + usize::from(link)
    }

    fn meant(&self, link: Option<u16>) -> Vec<u16> {
        link.map_or_else(|| (0..self.links).collect(), |link| vec![link])
    }
}
