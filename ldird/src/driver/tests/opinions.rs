//! The last real server fails, and hbd is asked what others say.

use super::*;
use ha_status::opinion::QUESTION_MAX;
use ha_status::socket::{Asked, Control};
use ha_status::{Found, View};

/// An hbd that says this, whatever it is asked; `None`: nothing at all.
async fn hbd(bed: &Bed, says: Arc<Mutex<Option<Found>>>) -> Arc<Mutex<Vec<usize>>> {
    let folder = bed.folder.path().join("heartbeat");
    fs::create_dir_all(&folder).unwrap();
    let socket = folder.join("hbd.sock");
    let mut control = Control::open(&socket, "hbd", "0", "lb1").await.unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut unanswered = Vec::new();
        loop {
            let request = control.next().await;
            let Some(Asked::Opinion { services, reply }) = control.understand(request) else {
                continue;
            };
            heard.lock().unwrap().push(services.len());
            match *says.lock().unwrap() {
                Some(found) => {
                    let (node, found) = ("lb2".to_owned(), vec![found; services.len()]);
                    let views = vec![View { node, found }];
                    reply.send(Reply::Opinion { views });
                }
                None => unanswered.push(reply),
            }
        }
    });
    asked
}

fn up(up: u64) -> Found {
    Found::Checked { up, more: false }
}

fn told(now: &DirectorSnapshot, text: &str) -> bool {
    now.recent.iter().any(|notice| notice.text.contains(text))
}

/// With a command that says when nobody serves.
fn configured(bed: &Bed, real: SocketAddr) -> String {
    let log = bed.folder.path().join("fall").display().to_string();
    let command = bed.folder.path().join("fallback.sh");
    fs::write(&command, format!("#!/bin/sh\necho $1 >> {log}\n")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&command, mode).unwrap();
    format!(
        "secondopinion=yes\nfallbackcommand={}\n{}",
        command.display(),
        connect_config(&[real])
    )
}

async fn settled(client: &mut Client) {
    let serves = |now: &DirectorSnapshot| now.services[0].reals[0].table_weight == Some(1);
    wait_for(client, serves).await;
}

#[tokio::test]
async fn the_last_server_stays_while_another_director_finds_it_up_and_goes_when_it_does_not() {
    let bed = Bed::new();
    let (first, address) = listener().await;
    bed.write(&configured(&bed, address));
    let says = Arc::new(Mutex::new(Some(up(1))));
    let asked = hbd(&bed, Arc::clone(&says)).await;
    bed.direct(async |mut client: Client| {
        settled(&mut client).await;
        drop(first);
        let now = wait_for(&mut client, |now| told(now, "SECOND OPINION")).await;
        let web = &now.services[0];
        assert_eq!(web.reals[0].health, Health::Down);
        assert_eq!(web.reals[0].table_weight, Some(1));
        assert_eq!(web.opinion.as_ref().unwrap().node, "lb2");
        let Reply::Metrics { text } = ask(&mut client, Request::Metrics).await else {
            panic!("metrics expected");
        };
        let held = "ldird_service_second_opinion{service=\"tcp:10.0.0.100:80\"} 1";
        assert!(text.contains(held), "{text}");
        let fall = fs::read_to_string(bed.folder.path().join("fall"));
        assert!(!fall.unwrap_or_default().contains("start"), "it is served");
        *says.lock().unwrap() = Some(up(0));
        let now = wait_for(&mut client, |now| told(now, "finds none up any more")).await;
        assert!(now.services[0].opinion.is_none());
        let gone = |now: &DirectorSnapshot| now.services[0].reals[0].table_weight.is_none();
        wait_for(&mut client, gone).await;
        assert!(asked.lock().unwrap().len() >= 2, "it was asked again");
        act(&mut client, Action::Stop).await;
    })
    .await;
    let fall = fs::read_to_string(bed.folder.path().join("fall")).unwrap();
    assert!(fall.contains("start"), "{fall}");
}

#[tokio::test]
async fn without_an_hbd_or_an_answer_it_goes_as_ever_and_that_is_said() {
    for (there, why) in [
        (false, "hbd does not answer on"),
        (true, "answered in time"),
    ] {
        let bed = Bed::new();
        let (first, address) = listener().await;
        bed.write(&configured(&bed, address));
        if there {
            hbd(&bed, Arc::default()).await;
        }
        bed.direct(async |mut client: Client| {
            settled(&mut client).await;
            drop(first);
            let now = wait_for(&mut client, |now| told(now, "without a second opinion")).await;
            assert!(told(&now, why), "{:?}", now.recent);
            let gone = |now: &DirectorSnapshot| now.services[0].reals[0].table_weight.is_none();
            wait_for(&mut client, gone).await;
            act(&mut client, Action::Stop).await;
        })
        .await;
    }
}

/// A cut link takes the last server of every service at the same moment.
#[tokio::test]
async fn services_that_fail_together_travel_in_one_question() {
    const COUNT: usize = 60;
    let bed = Bed::new();
    let (first, address) = listener().await;
    let section = |number: usize| {
        format!("virtual=10.0.1.{number}:80\n\tchecktype=connect\n\treal={address} masq\n\n")
    };
    let sections: String = (1..=COUNT).map(section).collect();
    bed.write(&format!("secondopinion=yes\ncheckinterval=1\n{sections}"));
    let asked = hbd(&bed, Arc::new(Mutex::new(Some(up(1))))).await;
    bed.direct(async |mut client: Client| {
        let weights = |now: &DirectorSnapshot| {
            let services = now.services.iter();
            let weights = services.filter(|one| one.reals[0].table_weight == Some(1));
            weights.count()
        };
        wait_for(&mut client, |now| weights(now) == COUNT).await;
        drop(first);
        let held = |now: &DirectorSnapshot| {
            let services = now.services.iter();
            services
                .filter(|one| one.opinion.as_ref().is_some_and(|it| it.node == "lb2"))
                .count()
        };
        let now = wait_for(&mut client, |now| held(now) == COUNT).await;
        assert_eq!(weights(&now), COUNT);
        act(&mut client, Action::Stop).await;
    })
    .await;
    let asked = asked.lock().unwrap();
    assert_eq!(asked[..2], [QUESTION_MAX, COUNT - QUESTION_MAX]);
}

#[tokio::test]
async fn what_others_ask_is_answered_from_our_own_checks() {
    let bed = Bed::new();
    let (_first, address) = listener().await;
    bed.write(&connect_config(&[address]));
    bed.direct(async |mut client: Client| {
        settled(&mut client).await;
        wait_for(&mut client, |now| {
            now.services[0].reals[0].checked_ms.is_some()
        })
        .await;
        let mut catalogue = Catalogue::default();
        let (read, _) = config::reload(&bed.instance().path, Names::new(), &mut catalogue);
        let digest = ldird_core::opinion::digest(&read.unwrap().core.services[0]);
        let services = vec![digest, 7];
        let Reply::Opinion { views } = ask(&mut client, Request::Opinion { services }).await else {
            panic!("an opinion expected");
        };
        assert_eq!(views[0].found, [up(1), Found::Unknown]);
        let services = vec![7; QUESTION_MAX + 1];
        let refused = ask(&mut client, Request::Opinion { services }).await;
        assert!(matches!(refused, Reply::Error { .. }), "{refused:?}");
        act(&mut client, Action::Stop).await;
    })
    .await;
}
