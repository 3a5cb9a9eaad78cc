//! Whole tables: the run machine of a group, one row per state and one column per event; the
//! better of two claims, for all pairs; and the decision about a group, one row per situation.

mod case;
mod claims;
mod owning;
mod runs;
mod succeeding;
