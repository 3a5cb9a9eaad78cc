//! Rows of the specification's sections 8.1 and 8.2: what is accepted, what is refused, with which
//! words. Rows that differ from the old daemon on purpose say so.

use super::Expect::{Bad, Good, Warned};
use super::{B0, Expect, b0, before_b0, check_rows, real};

const YES_NO: &str = "quiescent must be 'yes' or 'no'";

#[test]
fn conformance_8_1_global_directives() {
    let rows: Vec<(&str, String, Expect)> = vec![
        // P1 and P2 on purpose: the old daemon takes such a file, and a reload with it purges all.
        ("P1", String::new(), Bad("there is no virtual service")),
        (
            "P2",
            "# x\n\n   \n \t # y\n".to_owned(),
            Bad("there is no virtual service"),
        ),
        ("P4", before_b0("quiescent = yes"), Good),
        // P5 to P7 are better than the old daemon, which refuses them.
        (
            "P5",
            before_b0("quiescent=yes "),
            Warned("blanks stand behind the value; the old daemon refuses this line"),
        ),
        (
            "P6",
            before_b0("quiescent=yes # c"),
            Warned("a comment stands behind the value; the old daemon refuses this line"),
        ),
        (
            "P7",
            before_b0("quiescent=yes\r"),
            Warned("lines end in a carriage return"),
        ),
        ("P9", before_b0(" quiescent=yes"), Bad("Unknown command")),
        (
            "P11",
            before_b0("checkinterval=0"),
            Bad("invalid check interval value"),
        ),
        (
            "P14",
            before_b0("checktimeout=0"),
            Bad("invalid check timeout value"),
        ),
        (
            "P15",
            before_b0("timeout=3"),
            Bad("timeout directive deprecated in favour of checktimeout and negotiatetimeout"),
        ),
        (
            "P16",
            before_b0("connecttimeout=3"),
            Bad("connecttimeout directive deprecated in favour of negotiatetimeout"),
        ),
        (
            "P16",
            b0("connecttimeout=3"),
            Bad("connecttimeout directive deprecated in favour of negotiatetimeout"),
        ),
        (
            "P17",
            before_b0("logfile=local0"),
            Warned("logfile: double quotes are missing"),
        ),
        (
            "P19",
            before_b0("logfile=\"/nonexistent/x.log\""),
            Bad("unable to open logfile"),
        ),
    ];
    check_rows(&rows);
}

#[test]
fn conformance_8_1_global_directives_that_are_wrong_or_tolerated() {
    let rows: Vec<(&str, String, Expect)> = vec![
        (
            "P20",
            before_b0("callback=/bin/x"),
            Warned("callback: double quotes are missing"),
        ),
        (
            "P21",
            before_b0("supervised"),
            Warned("please update your config not to use a bare supervised directive"),
        ),
        (
            "P22",
            before_b0("supervisedx"),
            Bad("supervised must be 'yes' or 'no'"),
        ),
        ("P24", before_b0("emailalertstatus=running, stopping"), Good),
        (
            "P25",
            before_b0("emailalertstatus=up"),
            Bad("invalid email alert status at: \"up\""),
        ),
        (
            "P25",
            before_b0("emailalertstatus=none, running"),
            Bad("invalid email alert status: \"running\" specified with \"none\""),
        ),
        (
            "P26",
            before_b0("smtp=\"mail.x\""),
            Warned("smtp is read as mail.x; the old daemon refuses this line"),
        ),
        (
            "P27",
            before_b0("checkcount=3"),
            Warned("checkcount option is deprecated and slated for removal."),
        ),
        (
            "P29",
            before_b0("execute=\"b.cf\""),
            Warned("the quotes are no part of the name: b.cf"),
        ),
        (
            "P30",
            before_b0("nosuch=1"),
            Bad("Unknown command nosuch=1"),
        ),
        ("P48", before_b0("quiescent=maybe"), Bad(YES_NO)),
    ];
    check_rows(&rows);
}

#[test]
fn conformance_8_1_sections() {
    let middle = |line: &str| B0.replacen("\tfallback", &format!("{line}\n\tfallback"), 1);
    let rows: Vec<(&str, String, Expect)> = vec![
        ("P31", B0.to_owned(), Good),
        ("P32", B0.replace('\t', "    "), Good),
        ("P33", B0.replace('\t', "   "), Bad("Unknown command")),
        (
            "P34",
            middle(""),
            Bad("Unknown command: a section's line after an empty line"),
        ),
        ("P35", middle("    "), Bad("Unknown command")),
        // P36 is better: an editor's blanks do no harm.
        ("P36", middle("        "), Good),
        ("P37", middle("# x"), Good),
        (
            "P39",
            b0("request=\"a#b\""),
            Warned("a # between quotes is a part of the value"),
        ),
        (
            "quotes",
            b0("request=\u{201c}a\u{201d}"),
            Bad("Unknown command request="),
        ),
        (
            "quotes",
            b0("virtualhost=\u{201c}a\u{201d}"),
            Warned("typographic quotes are a part of the value"),
        ),
        (
            "P41",
            b0("request=index.html"),
            Warned("request: double quotes are missing"),
        ),
        (
            "P42",
            b0("request=\"\""),
            Bad("no request string specified"),
        ),
        ("P44", b0("receive=\"\""), Bad("invalid receive string")),
        ("P46", format!("{B0}{B0}"), Bad("duplicate virtual server")),
        ("P47", format!("{B0}{}", b0("protocol=udp")), Good),
    ];
    check_rows(&rows);
}

#[test]
fn conformance_8_1_values_of_sections() {
    let rows: Vec<(&str, String, Expect)> = vec![
        (
            "P61",
            b0("protocol=sctp"),
            Warned("protocol=sctp is new; the old daemon refuses this line"),
        ),
        (
            "P61",
            b0("protocol=icmp"),
            Bad("protocol must be tcp or udp if the virtual service is an address and port"),
        ),
        (
            "P62",
            "virtual=5\n\tprotocol=tcp\n".to_owned(),
            Bad("protocol must be fwm if the virtual service is a fwmark (a number)"),
        ),
        ("P65", b0("checktype=external2"), Bad("checktype must be")),
        ("P67", b0("checktype=Connect"), Bad("checktype must be")),
        (
            "P69",
            b0("scheduler=WLC"),
            Warned("scheduler \"WLC\" is read as wlc"),
        ),
        (
            "P69",
            b0("scheduler=!"),
            Bad("invalid scheduler, should be only lowercase letters (a-z)"),
        ),
    ];
    check_rows(&rows);
}

#[test]
fn conformance_8_1_masks_hosts_and_places_of_sections() {
    let rows: Vec<(&str, String, Expect)> = vec![
        (
            "P70",
            b0("netmask=24"),
            Warned("a netmask of 24 bits; the old daemon refuses this line"),
        ),
        (
            "P69",
            b0("scheduler=nosuch"),
            Warned("no scheduler of Linux is called \"nosuch\""),
        ),
        (
            "2.8",
            b0("virtualhost=www.m\u{fc}ller.example"),
            Warned("virtualhost with characters that no host name has"),
        ),
        (
            "P70",
            b0("netmask=255.0.255.0"),
            Bad("invalid netmask: dotted quad notation is required"),
        ),
        (
            "P71",
            "virtual6=[::1]:80\n\tnetmask=129\n".to_owned(),
            Bad("invalid netmask: a prefix length between 1 and 128 is required"),
        ),
        ("P72", b0("checkinterval=5"), Good),
        (
            "P73",
            b0("autoreload=yes"),
            Bad("Unknown command \"autoreload=yes\""),
        ),
        (
            "P74",
            b0("real6=[::1]:80 gate"),
            Bad("cannot specify \"real6\" here.  please use \"real\" instead"),
        ),
        (
            "P75",
            b0("monitorfile=/nonexistent/m"),
            Bad("unable to open monitorfile /nonexistent/m: "),
        ),
        ("P80", b0("receive=\"(\""), Bad("invalid receive string")),
    ];
    check_rows(&rows);
}

#[test]
fn conformance_8_1_virtual_lines() {
    let section = |line: &str| format!("{line}\n\tservice=http\n");
    let rows: Vec<(&str, String, Expect)> = vec![
        // P49 is better: the old daemon takes this for firewall mark 10.
        (
            "P49",
            section("virtual=10.0.0.100 :80"),
            Bad("invalid address for virtual server"),
        ),
        (
            "P49",
            section("virtual=10.0.0.100"),
            Bad("invalid address for virtual server"),
        ),
        (
            "P51",
            section("virtual=[2001:db8::1]:80"),
            Bad("cannot specify an IPv6 address here. please use \"virtual6\" instead."),
        ),
        (
            "P54",
            section("virtual=nohost.invalid:80"),
            // The old daemon refuses the whole file.
            Warned("invalid address for virtual service: nohost.invalid does not resolve"),
        ),
        (
            "P56",
            section("virtual=10.0.0.100:nosuchsvc"),
            Bad("invalid address for virtual service"),
        ),
        (
            "P57",
            section("virtual=10.0.0.100:65536"),
            Bad("invalid address for virtual service"),
        ),
        (
            "P59",
            section("virtual=:80"),
            Bad("invalid address for virtual server"),
        ),
        ("P60", section("virtual=10.0.0.100:80 # web"), Good),
        (
            "P77",
            section("virtual6=2001:db8::1:80"),
            Bad("invalid address for virtual service"),
        ),
        (
            "P78",
            real("real=nohost.invalid:80 gate"),
            Warned("invalid address (nohost.invalid) for real server (could not resolve host)"),
        ),
        (
            "P79",
            real("real=10.0.0.1:nosuch gate"),
            Bad("invalid port (nosuch) for real server (could not resolve port)"),
        ),
    ];
    check_rows(&rows);
}

#[test]
fn conformance_8_2_real_lines() {
    const METHOD: &str = "forward method must be gate, masq or ipip";
    const AROUND: &str = "Invalid real server line, around";
    let rows: Vec<(&str, String, Expect)> = vec![
        ("R2", real("real=10.0.0.1 gate"), Good),
        (
            "R4",
            real("real=10.0.0.1:80"),
            Bad("invalid address for real server (wrong format)"),
        ),
        ("R5", real("real=10.0.0.1:80 "), Bad(METHOD)),
        ("R6", real("real=10.0.0.1:80 GATE"), Bad(METHOD)),
        ("R7", real("real=10.0.0.1:80 gate -1"), Bad(AROUND)),
        ("R7", real("real=10.0.0.1:80 gate 3 junk"), Bad(AROUND)),
        (
            "1.8",
            real("real=10.0.0.1:80 gate -w 3"),
            Warned("\"-w\" is ignored"),
        ),
        (
            "1.9",
            b0("fallback=127.0.0.1:80 gate 1"),
            Warned("\"1\" is ignored"),
        ),
        ("R13", real("real=10.0.0.1:80 gate 1 \"a\""), Bad(AROUND)),
        (
            "R20",
            real("real=10.0.0.9->10.0.0.1:80 gate"),
            Bad("Invalid Range: "),
        ),
        (
            "R25",
            real("real=web_1:80 gate"),
            Bad("invalid address for real server (wrong format)"),
        ),
        (
            "1.8",
            real("real=192.168.6.2::5060 gate"),
            Bad("invalid address for real server (wrong format)"),
        ),
        (
            "1.8",
            real("real=@@10.0.0.1:80 gate"),
            Bad("invalid address for real server (wrong format)"),
        ),
        (
            "R26",
            real("real=10.0.0.1:80 gate\n\treal=10.0.0.1:80 gate"),
            Warned("real server 10.0.0.1:80 stands on line 3, too"),
        ),
        ("R29", real("fallback=127.0.0.1:80 nat"), Bad(METHOD)),
        (
            "R32",
            format!("fallback=127.0.0.1:80 nat\n{B0}"),
            Bad(METHOD),
        ),
        (
            "3.6",
            b0("fallback=10.0.0.1:80"),
            Warned("virtual 10.0.0.100:80: the fallback 10.0.0.1:80 is one of its real servers"),
        ),
    ];
    check_rows(&rows);
}
