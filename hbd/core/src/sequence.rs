//! Sequence numbers: what was heard from each peer, and what of ours can be sent again.
