//! What a file wants done beside the table, and what its commands are told.

use super::good;
use crate::probes::Probe;
use ldird_core::alerts::Phase;

/// Rows K22 to K24 of 8.4.
#[test]
fn an_external_check_is_told_of_virtual_and_real_server() {
    let told = |text: &str| {
        let configuration = good(text);
        let probe = configuration.probes.values().next().unwrap().clone();
        let Probe::External(external) = &*probe else {
            panic!("an external check expected");
        };
        format!("{} {}", external.command, external.arguments.join(" "))
    };
    let check = "\tchecktype=external\n\tcheckcommand=\"/bin/x -a\"\n\tcheckport=9\n";
    let rows = [
        (
            "virtual=10.0.0.100:80\n\treal=10.0.0.1:8080 masq\n",
            "/bin/x -a 10.0.0.100 80 10.0.0.1 8080",
        ),
        (
            "virtual=5\n\treal=10.0.0.1 gate\n",
            "/bin/x -a 5 0 10.0.0.1 0",
        ),
        (
            "virtual6=[2001:db8::1]:80\n\treal6=[2001:db8::2]:80 gate\n",
            "/bin/x -a [2001:db8::1] 80 [2001:db8::2] 80",
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(told(&format!("{text}{check}")), expected);
    }
}

/// C22 is better here: by its own clock each, in one process.
#[test]
fn c22_fork_is_taken_and_says_what_it_means_now() {
    let fork = "fork=yes: checks run side by side in one process, with or without it";
    let text = "virtual=1\n\treal=10.0.0.1 gate\n\tcheckinterval=3\n";
    super::check_rows(&[
        (
            "C22",
            format!("fork=yes\n{text}"),
            super::Expect::Warned(fork),
        ),
        ("C22", format!("fork=no\n{text}"), super::Expect::Good),
    ]);
    let interval = |head: &str| good(&format!("{head}{text}")).core.services[0].interval;
    assert_eq!(
        interval("fork=yes\n"),
        interval(""),
        "its own in either case"
    );
}

/// 2.16: what needs a vendor's library is asked by a program of the site.
#[test]
fn oracle_is_asked_by_a_program_that_is_told_all_the_file_has() {
    let text = "virtual=10.0.0.100:1521\n\treal=10.0.0.1:1521 gate\n\tcheckport=1522\n\
                \tlogin=\"u\"\n\tpasswd=\"p\"\n\trequest=\"SELECT 1\"\n\tcheckcommand=/bin/ask\n";
    let configuration = good(text);
    let probe = configuration.probes.values().next().unwrap().clone();
    let Probe::External(external) = &*probe else {
        panic!("a program expected");
    };
    assert_eq!(
        external.arguments,
        ["10.0.0.100", "1521", "10.0.0.1", "1522"]
    );
    let told: Vec<String> = external
        .environment
        .iter()
        .map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(value)))
        .collect();
    let wanted = ["CHECK_LOGIN=u", "CHECK_PASSWD=p", "CHECK_REQUEST=SELECT 1"];
    assert_eq!(told, wanted);
    let real = &configuration.core.services[0].reals[0];
    assert_eq!(real.description, "negotiate oracle by /bin/ask");
}

/// C.2: the old daemon's names of checks, as it writes them.
#[test]
fn a_monitor_file_names_a_check_by_all_that_was_configured() {
    let names = |text: &str| {
        let configuration = good(text);
        let monitors = configuration.operations.monitors.into_values().flatten();
        monitors.map(|monitor| monitor.id).collect::<Vec<_>>()
    };
    let file = "\tmonitorfile=/tmp/m\n";
    let head = "virtual=10.0.0.100:80\n\treal=10.0.0.1:80 gate 3";
    let rows = [
        (
            format!("{head}\n\tvirtualhost=www.x\n\treceive=\"Test Page\"\n"),
            "negotiate http tcp 10.0.0.1 80 www.x 3 gate / Test Page",
        ),
        (
            format!("{head}\n"),
            "negotiate http tcp 10.0.0.1 80 3 gate / ",
        ),
        (
            format!("{head} \"a::b\", \"c\\d\"\n\tcheckport=81\n\tchecktype=2\n"),
            "combined http tcp 10.0.0.1 80 81 3 gate /a  b cd",
        ),
        (
            format!("{head}\n\tchecktype=external\n\tcheckcommand=\"/bin/x -a\"\n"),
            "external /bin/x -a tcp 10.0.0.1 80 3 gate / ",
        ),
        (
            "virtual6=[2001:db8::9]:80\n\treal6=[2001:db8::1]:80 masq\n\tchecktype=connect\n"
                .to_owned(),
            "connect tcp [2001 db8 1] 80 1 masq / ",
        ),
        (
            "virtual=5\n\treal=10.0.0.1:80 ipip\n\tchecktype=ping\n".to_owned(),
            "ping fwm 10.0.0.1 80 1 ipip / ",
        ),
    ];
    for (text, name) in rows {
        assert_eq!(names(&format!("{text}{file}")), [name], "{text}");
    }
}

#[test]
fn mail_is_ruled_by_the_section_then_by_the_file() {
    let head =
        "emailalert=root\nemailalertfreq=60\nemailalertstatus=none\nsmtp=mx\nemailalertfrom=lb@x\n";
    let section = |lines: &str| format!("virtual=1\n\treal=10.0.0.1 gate\n{lines}\n");
    let own = "\temailalert=a@x, b@x\n\temailalertfreq=0\n\temailalertstatus=running, stopping\n\tsmtp=my:26\n";
    let mail = good(&format!("{head}{}", section(own))).operations.mail;
    let [rule] = mail.rules.values().collect::<Vec<_>>()[..] else {
        panic!("{mail:?}");
    };
    assert_eq!(rule.audience.to, "a@x, b@x");
    assert_eq!(rule.audience.relay.as_deref(), Some("my:26"));
    assert!(rule.repeat.is_zero());
    assert_eq!(rule.phases, [Phase::Running, Phase::Stopping].into());
    assert_eq!(mail.from.as_deref(), Some("lb@x"));
    let mail = good(&format!("{head}{}", section(""))).operations.mail;
    assert!(mail.rules.is_empty(), "none");
    let all = head.replace("none", "all");
    let mail = good(&format!("{all}{}", section(""))).operations.mail;
    let rule = mail.rules.values().next().unwrap();
    assert_eq!((rule.phases.len(), rule.repeat.as_secs()), (4, 60));
    let mail = good(&section("\temailalert= , \n")).operations.mail;
    assert!(mail.rules.is_empty(), "nobody is named");
}

/// Quotes around all addresses are none of theirs; where nothing stands between them, nobody is told.
#[test]
fn quotes_around_the_addresses_of_a_mail_are_no_part_of_them() {
    let text = |value: &str| format!("emailalert={value}\nvirtual=1\n\treal=10.0.0.1 gate\n");
    let to = |value: &str| {
        good(&text(value))
            .operations
            .mail
            .rules
            .values()
            .next()
            .unwrap()
            .audience
            .to
            .clone()
    };
    assert_eq!(to("\"a@x, b@x\""), "a@x, b@x");
    assert_eq!(to("a@x"), "a@x");
    super::check_rows(&[
        (
            "empty",
            text("\"\""),
            super::Expect::Bad("no email address specified"),
        ),
        (
            "empty, and a blank",
            text("\"\" "),
            super::Expect::Warned("there is no address between the quotes"),
        ),
        ("empty, and more", text("\"\" junk"), super::Expect::Good),
    ]);
}

/// Also a line that a later one replaces: the old daemon had stopped at it.
#[test]
fn every_monitor_file_that_is_named_must_be_possible() {
    let lines = "\tmonitorfile=/nonexistent/m\n\tmonitorfile=/tmp/m\n";
    super::check_rows(&[(
        "two lines",
        format!("virtual=1\n\treal=10.0.0.1 gate\n{lines}"),
        super::Expect::Bad("unable to open monitorfile /nonexistent/m: "),
    )]);
}
