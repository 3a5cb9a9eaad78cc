//! The archive's layout, by its own rules: every header on a multiple of four, the trailer last.

#![allow(clippy::unwrap_used)]

use super::{Archive, DIRECTORY, TEXT};

#[test]
fn entries_are_aligned_and_end_with_the_trailer() {
    let mut archive = Archive::default();
    archive.add("bin", DIRECTORY, &[]);
    archive.add("bin/a", TEXT, b"hello");
    let bytes = archive.finish();
    assert_eq!(bytes.len() % 4, 0);
    let mut names = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        assert_eq!(&bytes[at..at + 6], b"070701");
        let field = |index: usize| {
            let start = at + 6 + index * 8;
            usize::from_str_radix(std::str::from_utf8(&bytes[start..start + 8]).unwrap(), 16)
                .unwrap()
        };
        let (size, name_size) = (field(6), field(11));
        let name = &bytes[at + 110..at + 110 + name_size - 1];
        names.push(String::from_utf8(name.to_vec()).unwrap());
        let content = (at + 110 + name_size).next_multiple_of(4);
        at = (content + size).next_multiple_of(4);
    }
    assert_eq!(names, ["bin", "bin/a", "TRAILER!!!"]);
}
