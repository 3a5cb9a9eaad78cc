#![allow(clippy::unwrap_used)]

use super::*;
use ha_status::View;
use ha_status::socket::{Asked, Control};
use std::time::Instant;
use tokio::net::UnixListener;

const SERVICES: [u64; 2] = [1, 2];

fn up(up: u64) -> Found {
    Found::Checked { up, more: false }
}

/// A director that answers this to everything.
async fn director(folder: &Path, name: &str, found: Vec<Found>) {
    let socket = folder.join(format!("ldird.{name}.sock"));
    let mut control = Control::open(&socket, "ldird", "0", name).await.unwrap();
    tokio::spawn(async move {
        loop {
            let request = control.next().await;
            if let Some(Asked::Opinion { services, reply }) = control.understand(request) {
                assert_eq!(services, SERVICES);
                let (node, found) = (String::new(), found.clone());
                let views = vec![View { node, found }];
                reply.send(Reply::Opinion { views });
            }
        }
    });
}

async fn asked(folder: &Path) -> Vec<Found> {
    let folders = vec![folder.to_owned(), folder.join("."), folder.join("nowhere")];
    let question = Question::default();
    match inquire(folders, question, SERVICES.to_vec()).await {
        Input::Inquired { found, .. } => found,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn directors_of_this_node_answer_together() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    assert_eq!(asked(here).await, [Found::Unknown; 2], "there is none");
    director(here, "a", vec![up(1), Found::Unknown]).await;
    director(here, "b", vec![Found::Unknown, up(0)]).await;
    // It does not answer what was asked.
    director(here, "c", vec![up(7)]).await;
    assert_eq!(asked(here).await, [up(1), up(0)]);
}

#[tokio::test]
async fn one_that_is_frozen_or_talks_nonsense_costs_its_own_answer() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    // Stopped: the kernel takes the connection, and nobody says hello.
    let _frozen = UnixListener::bind(here.join("ldird.frozen.sock")).unwrap();
    std::fs::write(here.join("ldird.file.sock"), "").unwrap();
    director(here, "a", vec![up(1), up(2)]).await;
    let begun = Instant::now();
    assert_eq!(asked(here).await, [up(1), up(2)]);
    assert!(begun.elapsed() < 2 * ANSWER_LIMIT, "{:?}", begun.elapsed());
}
