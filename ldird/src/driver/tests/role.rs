//! Active and on standby, as a resource's script asks for it.

use super::*;
use crate::standing::{Beginning, Standing};
use ha_plumbing::claim::{Claim, Kind};
use ha_status::{Duty, Role, Severity};

impl Bed {
    /// A director of the service manager, for the first time since the boot.
    fn resident() -> Self {
        let mut bed = Self::new();
        bed.standing = Standing::find(&bed.instance(), Beginning::Resident);
        bed
    }

    /// What the next life of a resident director begins with.
    fn next_life(&self) -> Standing {
        Standing::find(&self.instance(), Beginning::Resident)
    }
}

async fn duty(client: &mut Client) -> Duty {
    wait_for(client, |_| true).await.duty
}

async fn done(client: &mut Client, action: Action) {
    match act(client, action).await {
        Reply::Done { .. } => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_table_goes_in_when_the_resource_becomes_active_and_out_when_it_stops() {
    let bed = Bed::resident();
    let (_real, address) = listener().await;
    bed.write(&connect_config(&[address]));
    let end = bed
        .direct(async |mut client: Client| {
            let shown = wait_for(&mut client, |now| health(now) == [Health::Up]).await;
            assert_eq!(
                (shown.duty.role, shown.duty.held_back),
                (Role::Standby, true)
            );
            assert_eq!(keys(&bed), [], "held back");
            let role = || crate::duty::of(&bed.instance(), rustix::process::getpid()).role;
            done(&mut client, Action::Serve).await;
            assert_eq!(
                keys(&bed),
                [web(100)],
                "the kernel has it when the script returns"
            );
            let rows = bed.table.lock().unwrap()[&web(100)].destinations.clone();
            assert_eq!(rows.len(), 1, "from the verdict that was known");
            let active = duty(&mut client).await;
            assert_eq!((active.role, active.held_back), (Role::Active, false));
            assert!(active.by.contains("uid"), "{active:?}");
            assert_eq!(
                bed.next_life().role,
                Role::Active,
                "should it be killed now"
            );
            done(&mut client, Action::Serve).await;
            assert_eq!(role(), Role::Active);
            done(&mut client, Action::HoldBack).await;
            assert_eq!(keys(&bed), []);
            assert_eq!(role(), Role::Standby, "what ldird status says");
            assert_eq!(
                bed.next_life().role,
                Role::Standby,
                "should it be killed now"
            );
            done(&mut client, Action::HoldBack).await;
            let told = wait_for(&mut client, |_| true).await.recent;
            let quiet = told.iter().all(|one| !one.text.contains("nobody takes"));
            assert!(quiet, "a healthy standby is no alarm: {told:#?}");
            act(&mut client, Action::Stop).await;
        })
        .await;
    assert_eq!(end, End::Stopped("TERM"));
    assert!(bed.next_life().role == Role::Standby);
}

#[tokio::test]
async fn a_resident_director_that_is_restarted_by_its_manager_goes_on_as_the_active_one() {
    let mut bed = Bed::resident();
    bed.write(&on(1));
    bed.direct(async |mut client: Client| {
        done(&mut client, Action::Serve).await;
        act(&mut client, Action::Stop).await;
    })
    .await;
    assert_eq!(keys(&bed), [], "cleanstop");
    bed.standing = bed.next_life();
    assert_eq!(bed.standing.role, Role::Active);
    bed.direct(async |mut client: Client| {
        all_serve(&mut client, 1).await;
        done(&mut client, Action::HoldBack).await;
        act(&mut client, Action::Stop).await;
    })
    .await;
    assert_eq!(bed.next_life().role, Role::Standby);
}

#[tokio::test]
async fn a_director_that_was_started_for_its_resource_knows_no_standby() {
    let bed = Bed::new();
    bed.write(&on(1));
    bed.direct(async |mut client: Client| {
        all_serve(&mut client, 1).await;
        let Reply::Error { text } = act(&mut client, Action::HoldBack).await else {
            panic!("it is not resident");
        };
        assert!(text.contains("not resident"), "{text}");
        assert_eq!(keys(&bed), [web(1)]);
        act(&mut client, Action::Stop).await;
    })
    .await;
    assert!(bed.next_life().role == Role::Standby, "it has stopped");
}

#[tokio::test]
async fn a_claim_to_be_on_standby_that_cannot_be_had_is_told_and_tried_again() {
    let bed = Bed::resident();
    bed.write(&on(1));
    bed.direct(async |mut client: Client| {
        done(&mut client, Action::Serve).await;
        let instance = bed.instance();
        let role = || crate::duty::of(&instance, rustix::process::getpid()).role;
        let other = Claim::acquire(Kind::Standby, instance.subject()).unwrap();
        done(&mut client, Action::HoldBack).await;
        let told = |word: &'static str| {
            move |now: &DirectorSnapshot| now.recent.iter().any(|one| one.text.contains(word))
        };
        wait_for(&mut client, told("cannot know that this is standby")).await;
        drop(other);
        wait_for(&mut client, told("knows again")).await;
        assert_eq!(role(), Role::Standby);
        done(&mut client, Action::Serve).await;
        assert_eq!(role(), Role::Active, "nobody holds it");
        act(&mut client, Action::Stop).await;
    })
    .await;
}

#[tokio::test]
async fn a_reload_on_standby_puts_nothing_into_the_table() {
    let bed = Bed::resident();
    bed.write(&(on(1) + &on(2)));
    bed.direct(async |mut client: Client| {
        wait_for(&mut client, |now| now.phase == DirectorPhase::Running).await;
        bed.write(&(on(1) + &on(3)));
        done(&mut client, Action::Reload { force: false }).await;
        assert_eq!(keys(&bed), []);
        done(&mut client, Action::Serve).await;
        assert_eq!(keys(&bed), [web(1), web(3)]);
        done(&mut client, Action::Reload { force: false }).await;
        assert_eq!(keys(&bed), [web(1), web(3)], "the role outlives a reload");
        done(&mut client, Action::HoldBack).await;
        act(&mut client, Action::Stop).await;
    })
    .await;
}

#[tokio::test]
async fn a_reload_on_standby_that_takes_out_what_would_serve_needs_force() {
    let bed = Bed::resident();
    bed.write(&(on(1) + &on(2) + &on(3)));
    bed.direct(async |mut client: Client| {
        wait_for(&mut client, |now| now.phase == DirectorPhase::Running).await;
        bed.write(&on(1));
        let Reply::Error { text } = act(&mut client, Action::Reload { force: false }).await else {
            panic!("the active one would have refused it as well");
        };
        assert!(text.contains("2 of 3 virtual services"), "{text}");
        done(&mut client, Action::Reload { force: true }).await;
        done(&mut client, Action::Serve).await;
        assert_eq!(keys(&bed), [web(1)]);
        act(&mut client, Action::Stop).await;
    })
    .await;
}

#[tokio::test]
async fn a_director_that_is_killed_while_active_adopts_its_table_in_the_next_life() {
    let mut bed = Bed::resident();
    bed.write(&on(1));
    let parts = bed.parts(Names::new()).await;
    let mut driver = Driver::new(parts, |_: &Configuration| {});
    let socket = bed.instance().socket;
    let life = async {
        driver.begin().await;
        while !driver.turns_are_done_as(Role::Active) {
            let event = driver.next().await;
            driver.handle(event);
        }
    };
    let talk = async {
        let mut client = Client::connect(&socket).await.unwrap();
        done(&mut client, Action::Serve).await;
    };
    timeout(LIMIT, async { tokio::join!(life, talk) })
        .await
        .unwrap();
    // As with kill -9, it says and cleans nothing any more.
    driver.view.control.close().await;
    assert_eq!(keys(&bed), [web(1)]);
    bed.standing = bed.next_life();
    bed.direct(async |mut client: Client| {
        all_serve(&mut client, 1).await;
        assert_eq!(duty(&mut client).await.role, Role::Active);
        done(&mut client, Action::HoldBack).await;
        assert_eq!(keys(&bed), []);
        act(&mut client, Action::Stop).await;
    })
    .await;
}

/// A service with this real server, which is never asked and always up.
fn unasked(real: &str) -> String {
    format!("virtual=192.0.2.100:80\n\tchecktype=on\n\treal={real}:80 gate\n")
}

#[tokio::test]
async fn a_prepared_table_is_in_the_kernel_until_it_is_not_wanted() {
    let bed = Bed::resident();
    bed.write(&unasked("192.0.2.1"));
    bed.direct(async |mut client: Client| {
        wait_for(&mut client, |now| now.phase == DirectorPhase::Running).await;
        done(&mut client, Action::Prepare).await;
        all_serve(&mut client, 1).await;
        let prepared = duty(&mut client).await;
        assert_eq!(
            (prepared.role, prepared.held_back),
            (Role::Standby, false),
            "the role is as it was"
        );
        assert_eq!(bed.next_life().role, Role::Standby);
        done(&mut client, Action::HoldBack).await;
        assert_eq!(keys(&bed), []);
        done(&mut client, Action::Prepare).await;
        done(&mut client, Action::Serve).await;
        done(&mut client, Action::Prepare).await;
        assert_eq!(duty(&mut client).await.role, Role::Active, "nothing to do");
        act(&mut client, Action::Stop).await;
    })
    .await;
    assert_eq!(keys(&bed), []);
}

#[tokio::test]
async fn who_gives_way_is_on_standby_at_once_and_its_table_follows() {
    let bed = Bed::resident();
    bed.write(&unasked("192.0.2.1"));
    bed.direct(async |mut client: Client| {
        done(&mut client, Action::Serve).await;
        done(&mut client, Action::Yield).await;
        let asked = || crate::duty::of(&bed.instance(), rustix::process::getpid()).role;
        assert_eq!(asked(), Role::Standby, "what ldird status says");
        assert_eq!(
            bed.next_life().role,
            Role::Standby,
            "should it be killed now"
        );
        wait_for(&mut client, |now| now.duty.held_back).await;
        while !keys(&bed).is_empty() {
            wait_for(&mut client, |_| true).await;
        }
        done(&mut client, Action::Yield).await;
        act(&mut client, Action::Stop).await;
    })
    .await;
}

#[tokio::test]
async fn a_director_that_is_a_real_server_has_its_table_in_the_kernel_while_active_alone() {
    let bed = Bed::resident();
    bed.write(&unasked("127.0.0.1"));
    bed.direct(async |mut client: Client| {
        wait_for(&mut client, |now| now.phase == DirectorPhase::Running).await;
        let Reply::Error { text } = act(&mut client, Action::Prepare).await else {
            panic!("clients would be sent round in circles");
        };
        assert!(text.contains("the real server 127.0.0.1"), "{text}");
        assert_eq!(keys(&bed), []);
        done(&mut client, Action::Serve).await;
        done(&mut client, Action::Yield).await;
        assert_eq!(keys(&bed), [], "it has left when that is answered");
        act(&mut client, Action::Stop).await;
    })
    .await;
}

#[tokio::test]
async fn a_director_that_is_not_resident_prepares_nothing_and_gives_no_way() {
    let bed = Bed::new();
    bed.write(&unasked("192.0.2.1"));
    bed.direct(async |mut client: Client| {
        all_serve(&mut client, 1).await;
        for action in [Action::Prepare, Action::Yield] {
            let Reply::Error { text } = act(&mut client, action).await else {
                panic!("it is not resident");
            };
            assert!(text.contains("not resident"), "{text}");
        }
        all_serve(&mut client, 1).await;
        act(&mut client, Action::Stop).await;
    })
    .await;
}

/// Whoever wakes up with it at night must not take the old rules for those of the file.
#[tokio::test]
async fn a_director_that_has_refused_its_file_says_so_when_it_becomes_active() {
    let bed = Bed::resident();
    bed.write(&on(1));
    bed.direct(async |mut client: Client| {
        let text = match act(&mut client, Action::Serve).await {
            Reply::Done { text } => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(text, "active");
        done(&mut client, Action::HoldBack).await;
        bed.write("nosuch=1\n");
        let refused = act(&mut client, Action::Reload { force: false }).await;
        assert!(matches!(refused, Reply::Error { .. }), "{refused:?}");
        let shown = wait_for(&mut client, |_| true).await;
        let outdated = shown.outdated.unwrap();
        assert!(outdated.why.contains("nosuch"), "{outdated:?}");
        assert!(outdated.refused_ms > 0);
        let Reply::Done { text } = act(&mut client, Action::Serve).await else {
            panic!("it becomes active all the same");
        };
        let warning = text.strip_prefix("active\nwarning: ").unwrap();
        assert!(warning.contains("the rules in force are older"), "{text}");
        assert!(warning.contains("then ldird x.cf reload"), "{text}");
        let shown = wait_for(&mut client, |_| true).await;
        let loud = |one: &ha_status::Notice| {
            one.severity == Severity::Warning && one.text.starts_with("Becomes active with older")
        };
        assert!(shown.recent.iter().any(loud), "{:#?}", shown.recent);
        bed.write(&on(1));
        done(&mut client, Action::Reload { force: false }).await;
        let shown = wait_for(&mut client, |_| true).await;
        assert_eq!(shown.outdated, None);
        done(&mut client, Action::Serve).await;
        act(&mut client, Action::Stop).await;
    })
    .await;
}
