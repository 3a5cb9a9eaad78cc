//! How far a node is with a move that all have agreed on.

/// What a node says of how it makes ready for a group that another one hands over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Readiness {
    /// It knows no such thing, or is not heard.
    #[default]
    Unsaid,
    /// There is nothing that it does, or it has done all it can.
    Still,
    /// It makes ready or is about to, or undoes what it had made ready.
    Busy,
    /// It is the one that runs the group, and goes on until its new owner is ready.
    Lingers,
}
