#![allow(clippy::unwrap_used)]

use super::*;
use hbd_core::wire::{Key, Message, Method, encode_classic};
use serialport::TTYPort;
use std::future::poll_fn;
use std::io::{Read as _, Write as _};
use std::path::Path;

const LINK: LinkId = LinkId::new(9);
const LIMIT: Duration = Duration::from_secs(10);

fn keys() -> Keys {
    Keys::single(1, Key::new(Method::Sha1, b"a-key-of-the-lab"))
}

fn frame(number: u64) -> Vec<u8> {
    let mut message = Message::new("status");
    message.set_hex("seq", number);
    encode_classic(&message, &keys(), false).unwrap()
}

/// The far end of a pseudo terminal, and the name of the near one.
fn far_end() -> (TTYPort, String) {
    let (mut far, near) = TTYPort::pair().unwrap();
    far.set_timeout(LIMIT).unwrap();
    (far, near.name().unwrap())
}

fn line(device: &str, locks: &Path) -> Line {
    let mut line = Line::new(LINK, device.to_owned(), 19_200);
    line.locks = locks.to_owned();
    line
}

/// So many bytes.
fn read(far: &mut TTYPort, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    far.read_exact(&mut bytes).unwrap();
    bytes
}

/// What the line hears next.
async fn hear(line: &mut Line, changes: &mut Vec<Input>) -> Vec<u64> {
    let mut heard = Vec::new();
    poll_fn(|context| line.poll(context)).await;
    line.receive(&keys(), Instant::now(), &mut heard, changes);
    let numbers = heard.iter().map(|heard| match &heard.input {
        Input::Received(received) => received.message.hex("seq").unwrap(),
        other => panic!("{other:?}"),
    });
    numbers.collect()
}

#[tokio::test]
async fn frames_leave_whole_and_arrive_among_noise() {
    let locks = tempfile::tempdir().unwrap();
    let (mut far, name) = far_end();
    let (mut line, mut changes) = (line(&name, locks.path()), Vec::new());
    let now = Instant::now();
    let told = line.update(now, &mut changes);
    let started = format!("Starting serial heartbeat on tty {name} (19200 baud)");
    assert_eq!(told, [(Severity::Info, started)]);
    assert!(line.works() && !line.is_unfinished());
    line.send(&frame(1), now + BREAK, &mut changes);
    line.send(&frame(2), now + BREAK, &mut changes);
    let both = [frame(1), frame(2)].concat();
    assert_eq!(read(&mut far, both.len()), both);
    let noise = [b"\0\xff noise", &frame(3)[..], b"\0\n", &frame(4)].concat();
    far.write_all(&noise).unwrap();
    let mut heard = Vec::new();
    while heard.len() < 2 {
        heard.extend(hear(&mut line, &mut changes).await);
    }
    assert_eq!(heard, [3, 4]);
    assert!(changes.is_empty());
}

#[tokio::test]
async fn line_that_nobody_reads_loses_whole_frames_and_never_blocks() {
    let locks = tempfile::tempdir().unwrap();
    let (mut far, name) = far_end();
    let (mut line, mut changes) = (line(&name, locks.path()), Vec::new());
    let start = Instant::now();
    line.update(start, &mut changes);
    let mut now = start + BREAK;
    let mut sent = 0;
    // The kernel's room comes first, then ours, then nothing more is taken.
    while line.works() {
        sent += 1;
        line.send(&frame(sent), now, &mut changes);
    }
    let open = line.open.as_ref().unwrap();
    assert!(open.out.len() <= 1920 + READ_BYTES, "{}", open.out.len());
    now += Duration::from_secs(2);
    line.send(&frame(0), now, &mut changes);
    let told = line.update(now, &mut changes);
    let texts: Vec<&str> = told.iter().map(|(_, text)| text.as_str()).collect();
    assert!(texts[0].contains("too slow"), "{texts:?}");
    assert!(texts[1].starts_with(&format!("TTY write timeout on [{name}]")));
    assert_eq!(texts.len(), 2);
    let troubles = std::mem::take(&mut changes);
    assert!(matches!(
        troubles.as_slice(),
        [
            Input::LinkWrite {
                result: Err(SendTrouble::NoBuffers),
                ..
            },
            Input::LinkWrite {
                result: Err(SendTrouble::Stuck),
                ..
            }
        ]
    ));
    // Whatever was thrown away, what is sent afterwards arrives.
    let (mut reader, mut last) = (FrameReader::new(), None);
    while last != Some(0) {
        let found = reader.feed(&read(&mut far, 1), &keys());
        last = found
            .into_iter()
            .flatten()
            .next_back()
            .and_then(|it| it.hex("seq"));
    }
}

#[tokio::test]
async fn line_that_hangs_up_is_told_and_opened_again_when_it_is_back() {
    let locks = tempfile::tempdir().unwrap();
    let link = locks.path().join("ttyUSB0");
    let device = link.to_str().unwrap().to_owned();
    let (far, name) = far_end();
    std::os::unix::fs::symlink(&name, &link).unwrap();
    let (mut line, mut changes) = (line(&device, locks.path()), Vec::new());
    line.update(Instant::now(), &mut changes);
    drop(far);
    std::fs::remove_file(&link).unwrap();
    assert_eq!(hear(&mut line, &mut changes).await, [0; 0]);
    assert!(!line.works() && line.is_unfinished());
    let now = Instant::now();
    let texts = line.update(now, &mut changes);
    assert!(texts[0].1.ends_with("it is opened again"), "{texts:?}");
    assert!(texts[1].1.starts_with(&format!("cannot open {device}")));
    assert!(line.update(now, &mut changes).is_empty(), "told once");

    let (mut far, name) = far_end();
    std::os::unix::fs::symlink(&name, &link).unwrap();
    let told = line.update(now, &mut changes);
    assert_eq!(told, [(Severity::Info, started(&device, 19_200))]);
    line.send(&frame(5), now + BREAK, &mut changes);
    assert_eq!(read(&mut far, frame(5).len()), frame(5));
    let results = changes.iter().map(|change| match change {
        Input::LinkWrite { result, .. } => *result,
        other => panic!("{other:?}"),
    });
    let results: Vec<_> = results.collect();
    assert_eq!(results, [Err(SendTrouble::NoDevice), Ok(())]);
}

#[tokio::test]
async fn line_of_another_process_is_left_alone() {
    let locks = tempfile::tempdir().unwrap();
    let (_far, name) = far_end();
    let file = format!("LCK..pts_{}", name.rsplit('/').next().unwrap());
    std::fs::write(locks.path().join(&file), "         1\n").unwrap();
    let (mut line, mut changes) = (line(&name, locks.path()), Vec::new());
    let told = line.update(Instant::now(), &mut changes);
    assert!(told[0].1.starts_with("cannot lock line"), "{told:?}");
    assert!(!line.works());
    std::fs::remove_file(locks.path().join(&file)).unwrap();
    line.update(Instant::now(), &mut changes);
    assert!(line.works());
    assert!(locks.path().join(&file).exists());
    drop(line);
    assert!(!locks.path().join(&file).exists());
}

#[tokio::test]
async fn device_that_is_no_terminal_is_told() {
    let locks = tempfile::tempdir().unwrap();
    let (mut line, mut changes) = (line("/dev/null", locks.path()), Vec::new());
    let told = line.update(Instant::now(), &mut changes);
    assert!(told[0].1.starts_with("cannot open /dev/null"), "{told:?}");
    let left: Vec<_> = std::fs::read_dir(locks.path()).unwrap().collect();
    assert!(left.is_empty(), "the lock is let go: {left:?}");
}
