//! Agents on a socket: what they say, how they say it, and that they hang or are not there.
#![allow(clippy::unwrap_used)]

use super::{Agent, LINE_MAX_BYTES};
use crate::probes::{Answer, Dialler, Finding, Means};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(20);

/// One agent that does this with its one client.
fn agent(address: &str, act: impl FnOnce(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind(address).unwrap();
    let target = listener.local_addr().unwrap();
    thread::spawn(move || act(listener.accept().unwrap().0));
    target
}

async fn ask(target: SocketAddr, say: &str, timeout: Duration) -> Answer {
    let agent = Agent {
        target,
        say: say.as_bytes().to_vec(),
        timeout,
    };
    agent.ask(&Means::new(Dialler::default())).await
}

#[tokio::test]
async fn a_line_is_heard_over_either_family_with_and_without_its_end() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        for text in ["up 75%\n", "up 75%\r\n", "up 75%", "up 75%\nand more"] {
            let target = agent(address, move |mut stream| {
                // Cut anywhere.
                for part in text.as_bytes().chunks(3) {
                    stream.write_all(part).unwrap();
                }
            });
            let answer = ask(target, "", LONG).await;
            assert_eq!(
                (answer.finding, answer.message.as_str()),
                (Finding::Up, "up 75%")
            );
            let says = answer.agent.unwrap();
            assert_eq!((says.percent, says.up), (Some(75), Some(true)));
        }
    }
}

#[tokio::test]
async fn it_is_told_first_what_the_file_has_for_it() {
    let target = agent("127.0.0.1:0", |mut stream| {
        let mut heard = [0; 4];
        stream.read_exact(&mut heard).unwrap();
        let answer: &[u8] = if &heard == b"web\n" {
            b"drain\n"
        } else {
            b"up\n"
        };
        stream.write_all(answer).unwrap();
    });
    assert_eq!(ask(target, "web\n", LONG).await.message, "drain");
}

/// None of this is the word of an agent, and none of it changes anything.
#[tokio::test]
async fn who_does_not_answer_or_says_something_else_has_said_nothing() {
    let silent = agent("127.0.0.1:0", drop);
    assert_eq!(ask(silent, "", LONG).await, Answer::down("it said nothing"));
    let other = agent("127.0.0.1:0", |mut stream| {
        stream.write_all(b"220 mail.example.org\r\n").unwrap();
    });
    assert_eq!(
        ask(other, "", LONG).await,
        Answer::down("\"220\" is no word of agents")
    );
    let endless = agent("127.0.0.1:0", |mut stream| {
        while stream.write_all(&[b'u'; LINE_MAX_BYTES]).is_ok() {}
    });
    assert_eq!(
        ask(endless, "", LONG).await,
        Answer::down("a line of more than 1024 bytes")
    );
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = hanging.local_addr().unwrap();
    let answer = ask(target, "", Duration::from_millis(100)).await;
    assert_eq!(answer, Answer::down("no answer in time"));
    drop(hanging);
    assert_eq!(
        ask(target, "", LONG).await,
        Answer::down("connection refused")
    );
}
