//! Matters that are not settled yet: what we would do, what the pair has done about it so far, and
//! until when it may take.

use super::event::Matter;
use crate::config::{LinkId, NodeName};
use std::time::{Duration, Instant};

#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) matter: Matter,
    /// When we decided; `None` if the pair did before us.
    pub(super) ours: Option<Instant>,
    /// When the pair said so.
    pub(super) theirs: Option<Instant>,
    /// For a death: for how long the node had been silent, and over which link it was heard last.
    pub(super) silence: (Duration, Option<LinkId>),
    /// It is judged then at the latest.
    pub(super) until: Instant,
}

/// At most one of each kind for each node.
#[derive(Debug, Default)]
pub(super) struct Questions(Vec<Question>);

impl Questions {
    /// Opens a question in place of an older one of its kind about the same node.
    pub(super) fn open(&mut self, question: Question) {
        let kind = question.matter.kind();
        self.0.retain(|other| other.matter.kind() != kind);
        self.0.push(question);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Question> {
        self.0.iter()
    }

    /// The question whether a node is dead.
    pub(super) fn death_of(&mut self, node: &NodeName) -> Option<&mut Question> {
        self.iter_mut()
            .find(|question| question.matter.kind() == Kind::Death(node))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Question> {
        self.0.iter_mut()
    }

    /// Takes out what is settled, with its verdict.
    pub(super) fn settle<V>(
        &mut self,
        mut verdict: impl FnMut(&Question) -> Option<V>,
    ) -> Vec<(Question, V)> {
        let mut settled = Vec::new();
        self.0.retain(|question| match verdict(question) {
            Some(verdict) => {
                settled.push((question.clone(), verdict));
                false
            }
            None => true,
        });
        settled
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.iter().map(|question| question.until).min()
    }

    /// We did not listen for so long.
    pub(super) fn stalled(&mut self, late: Duration) {
        for question in &mut self.0 {
            question.until += late;
        }
    }
}

/// Which questions exclude each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    Death(&'a NodeName),
    Takeover(&'a NodeName),
    /// Of groups that are or are not given back to their preferred node.
    Home(&'a NodeName),
    Standby(&'a NodeName),
    Resume(&'a NodeName),
    Heal(&'a NodeName),
}

impl Matter {
    pub(super) fn kind(&self) -> Kind<'_> {
        match self {
            Self::Death { node } => Kind::Death(node),
            Self::Takeover { from, .. } => Kind::Takeover(from),
            Self::Failback { to, .. } => Kind::Home(to),
            Self::Keep { home, .. } => Kind::Home(home),
            Self::Standby { from, .. } => Kind::Standby(from),
            Self::Resume { node, .. } => Kind::Resume(node),
            Self::Heal { node } => Kind::Heal(node),
        }
    }
}
