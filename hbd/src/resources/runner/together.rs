//! A group of addresses and resident directors alone, such as `IPaddr::… ldirectord::…`: they start and
//! stop at once, and a director may have its table in the kernel before its turn and for a moment after
//! it. The order of the line is kept where somebody can see it: a director that is named before an
//! address has its table in the kernel whenever the address is there.
//!
//! A director whose machine is a real server of its table does neither: it says so itself.

use super::{Resource, Worker, interrupted};
use crate::resources::resident::Resident;
use crate::resources::script::Cancel;
use futures_util::future::join_all;
use hbd_core::input::Failure;

/// A resource, with the director that it is.
pub(super) type Member<'a> = (&'a Resource, Option<Resident>);

impl Worker {
    /// The whole group, if it consists of addresses and resident directors, of which there is one.
    pub(super) async fn together(&self) -> Option<Vec<Member<'_>>> {
        let mut members: Vec<Member<'_>> = Vec::with_capacity(self.resources.len());
        for resource in &self.resources {
            let resident = match resource {
                Resource::Addresses(_) => None,
                Resource::Script { script, args, .. } => {
                    let limit = self.limits.status;
                    Some(self.or_look(None, script, args, limit).await?)
                }
            };
            members.push((resource, resident));
        }
        let one = members.iter().any(|(_, resident)| resident.is_some());
        one.then_some(members)
    }

    pub(super) async fn start_together(
        &self,
        members: Vec<Member<'_>>,
        cancel: &Cancel,
    ) -> Result<(), Failure> {
        for batch in batches(members) {
            let starts = batch.into_iter().map(|(resource, resident)| async move {
                let mut cancel = cancel.clone();
                if *cancel.borrow() {
                    return Err(interrupted(resource));
                }
                let result = self.start_one(resource, resident, &mut cancel).await;
                if *cancel.borrow() {
                    return Err(interrupted(resource));
                }
                result
            });
            let results = join_all(starts).await;
            results.into_iter().collect::<Result<(), Failure>>()?;
        }
        Ok(())
    }

    /// One that will not stop does not keep the others; the first such, from the right, is reported.
    pub(super) async fn stop_together(&self, members: Vec<Member<'_>>) -> Result<(), Failure> {
        let mut first = Ok(());
        for batch in batches(members).into_iter().rev() {
            let stops = batch.into_iter().rev();
            let stops = stops.map(|(resource, resident)| self.stop_one(resource, resident));
            let results = join_all(stops).await.into_iter();
            first = first.and(results.collect());
        }
        first
    }
}

/// What starts at once, in order: an address waits for the directors to its left.
fn batches<T, R>(members: Vec<(T, Option<R>)>) -> Vec<Vec<(T, Option<R>)>> {
    let mut batches: Vec<Vec<(T, Option<R>)>> = Vec::new();
    for member in members {
        let is_address = member.1.is_none();
        match batches.last_mut() {
            Some(batch) if !(is_address && batch.iter().any(|(_, one)| one.is_some())) => {
                batch.push(member);
            }
            Some(_) | None => batches.push(vec![member]),
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::batches;

    #[test]
    fn an_address_waits_for_the_directors_to_its_left_and_for_nobody_else() {
        for (line, expected) in [
            ("a", "a"),
            ("ad", "ad"),
            ("add", "add"),
            ("da", "d a"),
            ("dda", "dd a"),
            ("ada", "ad a"),
            ("dadad", "d ad ad"),
        ] {
            let members = line.chars();
            let members = members.map(|one| (one, (one == 'd').then_some(())));
            let batches = batches(members.collect()).into_iter();
            let words = batches.map(|batch| batch.into_iter().map(|(one, _)| one).collect());
            let words: Vec<String> = words.collect();
            assert_eq!(words.join(" "), expected, "{line}");
        }
    }
}
