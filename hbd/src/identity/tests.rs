#![allow(clippy::unwrap_used)]

use super::*;

fn hex(uuid: [u8; 16]) -> String {
    uuid.iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[test]
fn uuid_of_a_name_equals_the_old_daemons() {
    for (name, uuid) in [
        ("alice", "4d92ef9386a639de4440963a4d87f4d4"),
        ("bob", "802cf3cf197665521106e8c4a75062ee"),
        ("node1", "90b8de7708c87a6cfef1993a43051dba"),
    ] {
        assert_eq!(hex(uuid_of_name(name)), uuid, "{name}");
    }
}

fn load_file(state: &Path) -> Identity {
    load(state, "lb1", UuidFrom::File, GenerationFrom::File).unwrap()
}

#[test]
fn identity_survives_a_restart_and_the_generation_grows_by_one() {
    let state = tempfile::tempdir().unwrap();
    let first = load_file(state.path());
    assert!(first.generation > 1_500_000_000);
    assert_eq!(first.warnings.len(), 1);
    let second = load_file(state.path());
    assert_eq!(second.uuid, first.uuid);
    assert_eq!(second.generation, first.generation + 1);
    assert!(second.warnings.is_empty());
}

#[test]
fn generation_file_has_the_old_layout() {
    let state = tempfile::tempdir().unwrap();
    std::fs::write(state.path().join("hb_generation"), "     4712399922\n").unwrap();
    assert_eq!(load_file(state.path()).generation, 4_712_399_923);
    let written = std::fs::read(state.path().join("hb_generation")).unwrap();
    assert_eq!(written, b"     4712399923\n");
}

#[test]
fn machine_set_back_to_an_older_state_is_not_behind_its_peers() {
    let state = tempfile::tempdir().unwrap();
    std::fs::write(state.path().join("hb_generation"), "     1712399922\n").unwrap();
    let before = unix_seconds();
    let identity = load_file(state.path());
    assert!(identity.generation > before);
    assert!(identity.warnings.is_empty());
}

#[test]
fn broken_generation_never_starts_at_one() {
    for content in ["", "garbage\n", "-5\n", "18446744073709551615\n", "+7\n"] {
        let state = tempfile::tempdir().unwrap();
        std::fs::write(state.path().join("hb_generation"), content).unwrap();
        let identity = load_file(state.path());
        assert!(identity.generation > 1_500_000_000, "{content:?}");
        assert!(identity.warnings[0].starts_with("BROKEN previous generation"));
    }
}

#[test]
fn broken_uuid_is_replaced_by_a_random_one_and_told() {
    for content in [b"short".as_slice(), b"", &[0; 16]] {
        let state = tempfile::tempdir().unwrap();
        std::fs::write(state.path().join("hb_uuid"), content).unwrap();
        let identity = load_file(state.path());
        let stored = std::fs::read(state.path().join("hb_uuid")).unwrap();
        assert_eq!(stored, identity.uuid);
        assert_eq!(identity.uuid[6] >> 4, 4);
        assert!(identity.warnings[0].contains("hb_uuid"));
    }
}

#[test]
fn left_over_temporary_file_is_never_written_through() {
    let state = tempfile::tempdir().unwrap();
    let victim = state.path().join("victim");
    std::fs::write(&victim, "precious").unwrap();
    for name in ["hb_uuid.new", "hb_generation.new"] {
        std::os::unix::fs::symlink(&victim, state.path().join(name)).unwrap();
    }
    load_file(state.path());
    assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
}

/// The second director of a pair with a full disk must still come up.
#[test]
fn disk_that_takes_nothing_stops_nobody_and_is_tried_again() {
    let state = tempfile::tempdir().unwrap();
    let file = state.path().join("file");
    std::fs::write(&file, "").unwrap();
    let identity = load(&file, "lb1", UuidFrom::File, GenerationFrom::File).unwrap();
    assert!(identity.generation > 1_500_000_000);
    assert!(identity.warnings[0].contains("file"), "{identity:?}");
    // The directory is a file: nothing can be read there either, so nothing may be overwritten.
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    std::fs::create_dir(file.join("hb_generation.new")).unwrap();
    std::fs::create_dir(file.join("hb_uuid.new")).unwrap();
    let identity = load(&file, "lb1", UuidFrom::File, GenerationFrom::File).unwrap();
    assert_eq!(identity.unsaved.len(), 2);
    let (left, error) = keeper::save(identity.unsaved.clone());
    assert_eq!((left.len(), error.is_some()), (2, true));
    std::fs::remove_dir(file.join("hb_generation.new")).unwrap();
    std::fs::remove_dir(file.join("hb_uuid.new")).unwrap();
    assert_eq!(keeper::save(left), (Vec::new(), None));
    let next = load(&file, "lb1", UuidFrom::File, GenerationFrom::File).unwrap();
    assert_eq!(next.uuid, identity.uuid);
    assert!(next.generation > identity.generation);
}

#[test]
fn generation_that_cannot_be_stored_differs_from_the_next_one_though_the_clock_is_behind() {
    let state = tempfile::tempdir().unwrap();
    let stored = 4_712_399_922_u64;
    let path = state.path().join("hb_generation");
    std::fs::write(path, format_generation(stored)).unwrap();
    std::fs::create_dir(state.path().join("hb_generation.new")).unwrap();
    let before = unix_seconds();
    let generation = load_file(state.path()).generation;
    let mut clocks = before + 1..=unix_seconds() + 1;
    let raised = |clock| stored + 1 + clock % UNSAVED_SPREAD;
    assert!(clocks.any(|clock| generation == raised(clock)));
}

fn known(node: &str) -> KnownPeer {
    KnownPeer {
        node: hbd_core::config::NodeName::new(node).unwrap(),
        generation: 1_764_000_000,
        uuid: Some([7; 16]),
        extended: true,
        retired: vec![[1; 16], [0xfe; 16]],
    }
}

#[test]
fn peers_come_back_as_they_were_written_and_broken_lines_are_named() {
    let state = tempfile::tempdir().unwrap();
    assert_eq!(peers::read(state.path()).unwrap(), (vec![], vec![]));
    let bare = KnownPeer {
        uuid: None,
        extended: false,
        retired: Vec::new(),
        ..known("lb3")
    };
    let all = vec![known("lb2"), bare];
    let text = peers::format(&all);
    std::fs::write(peers::path(state.path()), format!("{text}lb4 7 zz hbd -\n")).unwrap();
    let (read, warnings) = peers::read(state.path()).unwrap();
    assert_eq!(read, all);
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("hbd_peers:5"), "{}", warnings[0]);
}

#[tokio::test]
async fn what_is_remembered_is_on_disk_soon_without_waiting_for_it() {
    let state = tempfile::tempdir().unwrap();
    let path = state.path().join("new");
    let keeper = Keeper::spawn(path.clone(), vec![known("lb2")], Vec::new(), |_| {});
    keeper.remember(known("lb3"));
    let newer = KnownPeer {
        generation: 1_764_000_001,
        ..known("lb2")
    };
    keeper.remember(newer.clone());
    let wanted = (vec![known("lb3"), newer], Vec::new());
    let begin = std::time::Instant::now();
    while peers::read(&path).unwrap() != wanted {
        assert!(begin.elapsed() < Duration::from_secs(10), "never written");
        tokio::task::yield_now().await;
    }
}
