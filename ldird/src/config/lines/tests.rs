//! Which lines say something, and where they stand (specification 1.3, rows L5 to L21).

use super::{Place, statements};
use ha_plumbing::Source;

fn cut(text: &str) -> Vec<(Place, String)> {
    let source = Source::from_bytes("/x.cf", text.as_bytes());
    let found = statements(&source);
    let found = found
        .iter()
        .map(|one| (one.place, one.text.text.to_owned()));
    found.collect()
}

type Row = (&'static str, &'static str, &'static [(Place, &'static str)]);

/// The row of the specification, the text, and its lines with their places.
const PLACES: &[Row] = &[
    ("L6", "\n  \n # x\na=1\n", &[(Place::Global, "a=1")]),
    ("L21", "a=1", &[(Place::Global, "a=1")]),
    ("L5", " a=1", &[(Place::Shallow, "a=1")]),
    ("L9", "virtual=1 # c", &[(Place::Global, "virtual=1 # c")]),
    (
        "tab",
        "virtual=1\n\ta=1",
        &[(Place::Global, "virtual=1"), (Place::Section, "a=1")],
    ),
    (
        "L13",
        "virtual=1\n    a=1",
        &[(Place::Global, "virtual=1"), (Place::Section, "a=1")],
    ),
    (
        "L13",
        "virtual=1\n   a=1",
        &[(Place::Global, "virtual=1"), (Place::Shallow, "a=1")],
    ),
    (
        "L10",
        "virtual=1\n# c\n\ta=1",
        &[(Place::Global, "virtual=1"), (Place::Section, "a=1")],
    ),
    (
        "L14",
        "virtual=1\n\n\ta=1\n\tb=1",
        &[
            (Place::Global, "virtual=1"),
            (Place::AfterBlank(2), "a=1"),
            (Place::Section, "b=1"),
        ],
    ),
    (
        "L14",
        "virtual=1\n    \n\ta=1",
        &[(Place::Global, "virtual=1"), (Place::AfterBlank(2), "a=1")],
    ),
    (
        "L15",
        "virtual=1\n     \n\ta=1",
        &[
            (Place::Global, "virtual=1"),
            (Place::Leftovers, "     "),
            (Place::Section, "a=1"),
        ],
    ),
    (
        "L18",
        "virtual=1\na=1\n\tb=1",
        &[
            (Place::Global, "virtual=1"),
            (Place::Global, "a=1"),
            (Place::Stray, "b=1"),
        ],
    ),
    (
        "indented",
        "  virtual=1\n\ta=1\n    virtual=2\n\ta=2",
        &[
            (Place::Indented, "virtual=1"),
            (Place::Section, "a=1"),
            (Place::Indented, "virtual=2"),
            (Place::Section, "a=2"),
        ],
    ),
    (
        "names",
        "virtual6 = 1\n\ta=1\nvirtualhost=x\n\tb=1",
        &[
            (Place::Global, "virtual6 = 1"),
            (Place::Section, "a=1"),
            (Place::Global, "virtualhost=x"),
            (Place::Stray, "b=1"),
        ],
    ),
];

#[test]
fn indentation_and_blank_lines_decide_where_a_line_stands() {
    for (row, text, expected) in PLACES {
        let expected: Vec<_> = expected
            .iter()
            .map(|(place, text)| (*place, (*text).to_owned()))
            .collect();
        assert_eq!(cut(text), expected, "{row}: {text:?}");
    }
}

#[test]
fn comments_end_section_lines_but_not_inside_quotes() {
    let rows = [
        ("a=1 # c", "a=1 "),
        ("a=\"b#c\"", "a=\"b#c\""),
        ("a=\"b#c\" # d", "a=\"b#c\" "),
        ("a=\"b\" # \"c\"", "a=\"b\" "),
        ("a=5\" # d", "a=5\" "),
        ("a=1\r", "a=1"),
    ];
    for (line, expected) in rows {
        let found = cut(&format!("virtual=1\n\t{line}\n"));
        assert_eq!(
            found.last().map(|(_, text)| text.as_str()),
            Some(expected),
            "{line}"
        );
    }
    assert_eq!(
        cut("a=1 # c"),
        [(Place::Global, "a=1 # c".to_owned())],
        "L7"
    );
}
