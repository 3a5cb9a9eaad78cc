#![allow(clippy::unwrap_used)]

use super::*;
use std::fs;

fn read(text: &[u8]) -> (Option<Keys>, Diagnostics) {
    let source = Source::from_bytes("authkeys", text);
    let mut found = Diagnostics::new();
    let keys = parse(&source, &mut found);
    (keys, found)
}

fn told(found: &Diagnostics) -> String {
    found.to_string()
}

#[test]
fn keys_are_read_in_either_order() {
    for text in [
        &b"auth 1\n1 sha1 sufficiently-long\n"[..],
        b"# comment\n  1 sha1 sufficiently-long # the rest\n\tauth 1\n",
        b"1\tsha1\tsufficiently-long\nauth1\r\n",
    ] {
        let (keys, found) = read(text);
        let late = told(&found).contains("the auth line comes after key 1 of line ");
        assert_eq!(found.warning_count(), usize::from(late));
        assert_eq!(late, !text.starts_with(b"auth"));
        let keys = keys.unwrap();
        assert_eq!(keys.signing(), 1);
        assert_eq!(keys.key(1).unwrap().method(), Method::Sha1);
    }
}

#[test]
fn several_keys_are_kept_and_the_key_is_the_word_as_it_is() {
    let (keys, found) =
        read(b"auth 2\n0 md5 k\xe4se-und-brot\n2 sha256 0123456789\n15 sha512 abcdefgh\n");
    assert_eq!(told(&found), "");
    let keys = keys.unwrap();
    let all: Vec<_> = keys
        .iter()
        .map(|(index, key)| (index, key.method()))
        .collect();
    assert_eq!(
        all,
        [(0, Method::Md5), (2, Method::Sha256), (15, Method::Sha512)]
    );
    let same = Keys::single(0, Key::new(Method::Md5, b"k\xe4se-und-brot"));
    assert!(keys.verify(b"data", &same.sign(b"data")).is_ok());
}

#[test]
fn faults_are_told_in_the_old_words_where_there_are_any() {
    let table: [(&[u8], &str); 10] = [
        (b"", "Missing auth directive in keyfile"),
        (
            b"1 sha1 sufficiently-long\n",
            "Missing auth directive in keyfile",
        ),
        (
            b"auth 2\n1 sha1 sufficiently-long\n",
            "Auth Key [2] not found in keyfile",
        ),
        (
            b"auth 1\n1 sha9 sufficiently-long\n",
            "Invalid authtype [sha9]",
        ),
        (b"auth 1\n1 sha1\n", "key 1: sha1 needs a key"),
        (b"auth 1\n1 crc key\n", "key 1: crc takes no key"),
        (b"auth 1\n1\n", "key 1 has no method"),
        (
            b"auth x\n1 sha1 sufficiently-long\n",
            "not `auth` and a key number",
        ),
        (
            b"apple\nauth 1\n1 sha1 sufficiently-long\n",
            "not `auth` and a key number",
        ),
        (
            b"auth 16\n16 sha1 sufficiently-long\n",
            "nor a key number from 0 to 15",
        ),
    ];
    for (text, expected) in table {
        let (keys, found) = read(text);
        let shown = String::from_utf8_lossy(text);
        assert!(keys.is_none(), "{shown:?}");
        assert!(
            told(&found).contains(expected),
            "{shown:?}: {}",
            told(&found)
        );
    }
}

#[test]
fn doubts_are_warnings() {
    let table: [(&[u8], &str); 10] = [
        (
            b"auth 1x\n1 sha1 sufficiently-long\n",
            "the auth number is read as 1",
        ),
        (b"auth 1\n1 crc\n", "crc is no authentication"),
        (
            b"auth 1\n1 sha1 sufficiently-long\n2 crc\n",
            "packets signed with crc are refused while key 1 signs",
        ),
        (
            b"auth 1\n1 sha1 # the key\n",
            "what looks like a comment is the key",
        ),
        (b"auth 1\n1 md5 Hello!\n", "everybody knows it"),
        (
            b"1 sha1 sufficiently-long\nauth 1\n",
            "Heartbeat refuses that",
        ),
        (b"auth 1\n1 sha1 HI!\n", "key 1 is short"),
        (
            b"auth 1\n1 sha1 old-old-old\n1 sha1 new-new-new\n",
            "replaces the earlier key 1",
        ),
        (
            b"auth 2\nauth 1\n1 sha1 sufficiently-long\n",
            "replaces the auth line 1",
        ),
        (b"auth 1\n1 sha1 two words-of-a-key\n", "a key is one word"),
    ];
    for (text, expected) in table {
        let (keys, found) = read(text);
        let shown = String::from_utf8_lossy(text);
        assert!(keys.is_some(), "{shown:?}: {}", told(&found));
        assert!(
            told(&found).contains(expected),
            "{shown:?}: {}",
            told(&found)
        );
    }
}

#[test]
fn the_published_key_of_the_sample_is_refused() {
    let sample = include_bytes!("../../../../ha.d/authkeys");
    let (keys, found) = read(sample);
    assert!(keys.is_none());
    assert!(told(&found).contains("published"), "{}", told(&found));
    // Not only as the key that signs: any key of the file opens the cluster.
    let (keys, _) = read(b"auth 1\n1 sha1 sufficiently-long\n2 md5 the-key-of-the-lab-is-public\n");
    assert!(keys.is_none());
}

#[test]
fn a_masked_comment_still_shows_that_it_is_the_fault() {
    let (keys, found) = read(b"auth 1\n1 crc # none needed\n");
    assert!(keys.is_none());
    let shown = found.render(false);
    assert!(shown.contains("2 | 1 crc # **** ******\n"), "{shown}");
    assert!(
        shown.contains("a comment needs a line of its own"),
        "{shown}"
    );
}

#[test]
fn no_diagnostic_shows_a_key() {
    let texts: [&[u8]; 7] = [
        b"auth 1\n1 sha1 auth-secret more\n1 sha1 x\n",
        b"authsecret\n",
        b"auth 1\n1 sha1 secret\n",
        b"auth 1\nsha1 secret\n",
        b"auth 1\n1 sha1 x secret\n",
        b"secret\n",
        b"auth 1 secret\n1 sha1 secret secret\n99 md5 secret\n",
    ];
    for text in texts {
        let (_, found) = read(text);
        let shown = found.render(false);
        assert!(!found.is_empty());
        assert!(!shown.contains("secret"), "{shown}");
    }
}

#[test]
fn a_file_that_others_can_read_or_change_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("authkeys");
    fs::write(&path, "auth 1\n1 sha1 sufficiently-long\n").unwrap();
    let table = [
        (0o600, ""),
        (0o400, ""),
        (0o700, ""),
        (0o644, "600 recommended"),
        (0o640, "600 recommended"),
        (0o604, "600 recommended"),
        (0o620, "can be changed by others"),
        (0o602, "can be changed by others"),
    ];
    for (mode, expected) in table {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let mut found = Diagnostics::new();
        let keys = load(&path, &mut found);
        assert_eq!(keys.is_some(), expected.is_empty(), "{mode:o}");
        assert!(
            told(&found).contains(expected),
            "{mode:o}: {}",
            told(&found)
        );
    }
    let mut found = Diagnostics::new();
    assert!(load(&folder.path().join("none"), &mut found).is_none());
    assert!(told(&found).contains("Cannot open keyfile ["));
}
