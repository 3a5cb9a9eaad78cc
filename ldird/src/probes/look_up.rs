//! Names that a check meets on its way, as those that a redirect leads to: few look-ups at once, and
//! a name server that fails is no fault of the server that is checked.

use super::{Answer, want};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Look-ups under way at once. One that a check does not wait for any more keeps its place: a
/// system's resolver cannot be interrupted, and its thread is one that other work waits for.
pub(super) const PLACES: usize = 16;
/// A check waits so long for a place.
const PLACE_LIMIT: Duration = Duration::from_millis(200);
/// What the C libraries say of a name that is not there (`EAI_NONAME`, `EAI_NODATA`,
/// `EAI_ADDRFAMILY`); all else that they say is about the asking. Of the number nothing is left.
const NO_SUCH_NAME: [&str; 5] = [
    "Name or service not known",
    "No address associated with hostname",
    "Address family for hostname not supported",
    "Name does not resolve",
    "Name has no usable address",
];

/// The addresses of a name, with this port.
pub(super) async fn look_up(
    name: &str,
    port: u16,
    places: &Arc<Semaphore>,
) -> Result<Vec<SocketAddr>, Answer> {
    let place = timeout(PLACE_LIMIT, Arc::clone(places).acquire_owned()).await;
    let Ok(Ok(place)) = place else {
        let text = format!("no place is left to look up {name}: {PLACES} look-ups are under way");
        return Err(Answer::unasked(text));
    };
    let wanted = name.to_owned();
    let found = spawn_blocking(move || {
        let _place = place;
        let found = (wanted.as_str(), port).to_socket_addrs()?;
        Ok(found.collect())
    });
    let found = found.await.unwrap_or_else(|e| Err(io::Error::other(e)));
    found.map_err(|error| unresolved(name, &error))
}

fn unresolved(name: &str, error: &io::Error) -> Answer {
    if let Some(want) = want::of(error) {
        return Answer::unasked(want);
    }
    let text = error.to_string();
    // A name that cannot be one, e.g. with a zero byte in it.
    let wrong = error.kind() == io::ErrorKind::InvalidInput;
    if wrong || NO_SUCH_NAME.iter().any(|known| text.contains(known)) {
        Answer::down(format!("500 the redirect leads to {name}: {error}"))
    } else {
        Answer::unasked(format!("{name} cannot be looked up: {error}"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{PLACES, look_up, unresolved};
    use ldird_core::input::Finding;
    use std::io;
    use std::sync::Arc;
    use tokio::sync::Semaphore;

    #[test]
    fn a_name_server_that_fails_is_no_fault_of_the_server() {
        let said = |text: &str| {
            let text = format!("failed to lookup address information: {text}");
            unresolved("www", &io::Error::other(text)).finding
        };
        assert_eq!(said("Name or service not known"), Finding::Down);
        assert_eq!(said("Name does not resolve"), Finding::Down);
        for ours in [
            "Temporary failure in name resolution",
            "Non-recoverable failure in name resolution",
            "Memory allocation failure",
            "Try again",
        ] {
            assert_eq!(said(ours), Finding::CouldNotAsk, "{ours}");
        }
        let wrong = io::Error::new(io::ErrorKind::InvalidInput, "a zero byte");
        assert_eq!(unresolved("www", &wrong).finding, Finding::Down);
    }

    #[tokio::test]
    async fn this_machines_own_resolver_says_it_in_words_that_are_known() {
        let places = Arc::new(Semaphore::new(PLACES));
        let found = look_up("localhost", 80, &places).await.unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback()));
        let wrong = look_up("a\0b", 80, &places).await.unwrap_err();
        assert_eq!(wrong.finding, Finding::Down, "{wrong:?}");
        assert_eq!(places.available_permits(), PLACES);
    }

    #[tokio::test]
    async fn where_no_place_is_left_nothing_is_asked() {
        let places = Arc::new(Semaphore::new(1));
        let _taken = places.acquire().await.unwrap();
        let answer = look_up("localhost", 80, &places).await.unwrap_err();
        assert_eq!(answer.finding, Finding::CouldNotAsk, "{answer:?}");
    }
}
