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
