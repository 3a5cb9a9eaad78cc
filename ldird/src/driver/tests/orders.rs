//! What an operator says of real servers, through the socket.

use super::*;
use ha_status::{RealServer, Says, Word};

fn say(real: &str, word: Word, force: bool) -> Action {
    Action::Overrule {
        service: "all".to_owned(),
        real: real.to_owned(),
        word,
        for_s: None,
        why: "a new disk".to_owned(),
        force,
    }
}

async fn said(client: &mut Client, action: Action) -> String {
    match act(client, action).await {
        Reply::Done { text } => text,
        other => panic!("{other:?}"),
    }
}

async fn refused(client: &mut Client, action: Action) -> String {
    match act(client, action).await {
        Reply::Error { text } => text,
        other => panic!("{other:?}"),
    }
}

fn two_servers() -> String {
    "virtual=10.0.0.1:80\n\treal=10.0.9.1:80 gate 3\n\treal=10.0.9.2:80 gate 3\n\tchecktype=on\n\n"
        .to_owned()
}

fn weights(shown: &DirectorSnapshot) -> Vec<Option<u32>> {
    let reals = shown.services[0].reals.iter();
    reals.map(|real| real.table_weight).collect()
}

fn first(shown: &DirectorSnapshot) -> &RealServer {
    &shown.services[0].reals[0]
}

#[tokio::test]
async fn a_drained_server_stays_at_weight_0_over_reload_and_the_next_life_and_is_shown() {
    let bed = Bed::new();
    bed.write(&two_servers());
    bed.direct(async |mut client: Client| {
        wait_for(&mut client, |now| weights(now) == [Some(3), Some(3)]).await;
        let text = said(&mut client, say("10.0.9.1", Word::Drain, false)).await;
        assert!(text.contains("no new connections"), "{text}");
        let shown = wait_for(&mut client, |now| weights(now) == [Some(0), Some(3)]).await;
        let order = &first(&shown).overrides[0];
        assert_eq!(
            (order.says, order.why.as_str()),
            (Says::Drain, "a new disk")
        );
        assert!(order.by.contains("uid"), "{order:?}");
        act(&mut client, Action::Reload { force: false }).await;
        let shown = wait_for(&mut client, |_| true).await;
        assert_eq!(weights(&shown), [Some(0), Some(3)]);
        act(&mut client, Action::Stop).await;
    })
    .await;
    bed.direct(async |mut client: Client| {
        wait_for(&mut client, |now| weights(now) == [Some(0), Some(3)]).await;
        said(&mut client, say("10.0.9.1:80", Word::Undrain, false)).await;
        let shown = wait_for(&mut client, |now| weights(now) == [Some(3), Some(3)]).await;
        assert!(first(&shown).overrides.is_empty());
        act(&mut client, Action::Stop).await;
    })
    .await;
}

#[tokio::test]
async fn no_word_empties_a_service_unless_it_is_forced_and_what_would_happen_is_said() {
    let bed = Bed::new();
    bed.write(&two_servers());
    bed.direct(async |mut client: Client| {
        wait_for(&mut client, |now| weights(now) == [Some(3), Some(3)]).await;
        let on = Word::Maintenance { on: true };
        said(&mut client, say("10.0.9.1", on, false)).await;
        for word in [Word::Drain, on, Word::Weight { weight: 0 }] {
            let text = refused(&mut client, say("10.0.9.2", word, false)).await;
            assert!(text.contains("nobody would serve"), "{text}");
            assert!(text.contains("--force"), "{text}");
        }
        let shown = wait_for(&mut client, |_| true).await;
        assert_eq!(weights(&shown), [None, Some(3)]);
        assert!(shown.services[0].reals[1].overrides.is_empty());
        said(&mut client, say("10.0.9.2", Word::Drain, true)).await;
        wait_for(&mut client, |now| weights(now) == [None, Some(0)]).await;
        let text = refused(&mut client, say("10.0.9.7", Word::Drain, false)).await;
        assert!(text.contains("no such real server"), "{text}");
        act(&mut client, Action::Stop).await;
    })
    .await;
}

#[tokio::test]
async fn a_weight_holds_for_its_time_and_then_the_file_counts_again() {
    let bed = Bed::new();
    bed.write(&two_servers());
    bed.direct(async |mut client: Client| {
        wait_for(&mut client, |now| weights(now) == [Some(3), Some(3)]).await;
        let mut action = say("10.0.9.1", Word::Weight { weight: 7 }, false);
        if let Action::Overrule { for_s, .. } = &mut action {
            *for_s = Some(1);
        }
        said(&mut client, action).await;
        wait_for(&mut client, |now| weights(now) == [Some(7), Some(3)]).await;
        let shown = wait_for(&mut client, |now| weights(now) == [Some(3), Some(3)]).await;
        assert!(first(&shown).overrides.is_empty());
        let told = shown
            .recent
            .iter()
            .any(|one| one.text.starts_with("Override ended"));
        assert!(told, "{:#?}", shown.recent);
        act(&mut client, Action::Stop).await;
    })
    .await;
}

#[tokio::test]
async fn a_word_that_the_disk_does_not_take_is_told_and_written_once_there_is_room() {
    let bed = Bed::new();
    bed.write(&two_servers());
    let file = bed.folder.path().join("ldird.x.cf.overrides");
    let fresh = bed.folder.path().join("ldird.x.cf.overrides.new");
    bed.direct(async |mut client: Client| {
        wait_for(&mut client, |now| weights(now) == [Some(3), Some(3)]).await;
        let text = said(&mut client, say("10.0.9.1", Word::Drain, false)).await;
        assert!(!text.contains("NOT on disk"), "{text}");
        // An earlier file stands there, and nothing new can be written beside it.
        fs::create_dir(&fresh).unwrap();
        let text = said(&mut client, say("10.0.9.2", Word::Drain, true)).await;
        assert!(text.contains("NOT on disk"), "{text}");
        assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 2);
        fs::remove_dir(&fresh).unwrap();
        while fs::read_to_string(&file).unwrap().lines().count() != 3 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let text = said(&mut client, say("10.0.9.2", Word::Undrain, false)).await;
        assert!(!text.contains("NOT on disk"), "{text}");
        act(&mut client, Action::Stop).await;
    })
    .await;
}

#[tokio::test]
async fn weights_and_times_beyond_all_use_are_refused_by_the_socket_too() {
    let bed = Bed::new();
    bed.write(&two_servers());
    bed.direct(async |mut client: Client| {
        wait_for(&mut client, |now| weights(now) == [Some(3), Some(3)]).await;
        let weight = Word::Weight { weight: 1 << 31 };
        let text = refused(&mut client, say("10.0.9.1", weight, false)).await;
        assert!(text.contains("0 to 2147483647"), "{text}");
        let Action::Overrule {
            service,
            real,
            word,
            why,
            force,
            ..
        } = say("10.0.9.1", Word::Drain, false)
        else {
            panic!("an order");
        };
        let for_s = Some(u64::MAX);
        let text = refused(
            &mut client,
            Action::Overrule {
                service,
                real,
                word,
                for_s,
                why,
                force,
            },
        )
        .await;
        assert!(text.contains("longer"), "{text}");
        act(&mut client, Action::Stop).await;
    })
    .await;
}
