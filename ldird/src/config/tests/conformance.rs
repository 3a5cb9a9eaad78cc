//! Rows of the specification's section 8.1, one test each: what is accepted, what is refused, with which
//! words. Rows that differ from the old daemon on purpose say so.

use super::Expect::{Bad, Good, Warned};
use super::{B0, b0, before_b0, real};

/// `NAME: TEXT => EXPECTATION;`, each a test of its own.
macro_rules! rows {
    ($($(#[$note:meta])* $name:ident: $text:expr => $expect:expr;)+) => {
        $(
            #[test]
            $(#[$note])*
            fn $name() {
                $crate::config::tests::check_row(stringify!($name), &String::from($text), &$expect);
            }
        )+
    };
}

mod meanings;
mod reals;

/// B0 with this line in the middle of its section.
fn middle(line: &str) -> String {
    B0.replacen("\tfallback", &format!("{line}\n\tfallback"), 1)
}

/// A section of this line.
fn section(line: &str) -> String {
    format!("{line}\n\tservice=http\n")
}

rows! {
    // P1 and P2 on purpose: the old daemon takes such a file, and a reload with it purges all.
    p1_an_empty_file: String::new() => Bad("there is no virtual service");
    p2_only_comments_and_blank_lines: "# x\n\n   \n \t # y\n" => Bad("there is no virtual service");
    p4_blanks_around_the_equals_sign: before_b0("quiescent = yes") => Good;
    // P5 to P7 are better than the old daemon, which refuses them.
    p5_a_blank_behind_the_value:
        before_b0("quiescent=yes ")
        => Warned("blanks stand behind the value; the old daemon refuses this line");
    p6_a_comment_behind_the_value:
        before_b0("quiescent=yes # c")
        => Warned("a comment stands behind the value; the old daemon refuses this line");
    p7_a_carriage_return: before_b0("quiescent=yes\r") => Warned("lines end in a carriage return");
    p9_a_blank_before_a_global_line: before_b0(" quiescent=yes") => Bad("Unknown command");
    p11_no_interval: before_b0("checkinterval=0") => Bad("invalid check interval value");
    p14_no_timeout: before_b0("checktimeout=0") => Bad("invalid check timeout value");
    p15_timeout:
        before_b0("timeout=3")
        => Bad("timeout directive deprecated in favour of checktimeout and negotiatetimeout");
    p16_connecttimeout:
        before_b0("connecttimeout=3")
        => Bad("connecttimeout directive deprecated in favour of negotiatetimeout");
    p16_connecttimeout_in_a_section:
        b0("connecttimeout=3")
        => Bad("connecttimeout directive deprecated in favour of negotiatetimeout");
    p17_a_logfile_without_quotes:
        before_b0("logfile=local0")
        => Warned("logfile: double quotes are missing");
    p19_a_logfile_that_cannot_be_opened:
        before_b0("logfile=\"/nonexistent/x.log\"")
        => Bad("unable to open logfile");
}

rows! {
    p20_a_callback_without_quotes:
        before_b0("callback=/bin/x")
        => Warned("callback: double quotes are missing");
    p21_supervised_alone:
        before_b0("supervised")
        => Warned("please update your config not to use a bare supervised directive");
    p22_supervised_with_a_letter_more: before_b0("supervisedx") => Bad("supervised must be 'yes' or 'no'");
    p24_alerts_of_two_states: before_b0("emailalertstatus=running, stopping") => Good;
    p25_alerts_of_no_state: before_b0("emailalertstatus=up") => Bad("invalid email alert status at: \"up\"");
    p25_alerts_of_none_and_one:
        before_b0("emailalertstatus=none, running")
        => Bad("invalid email alert status: \"running\" specified with \"none\"");
    p26_a_mail_server_in_quotes:
        before_b0("smtp=\"mail.x\"")
        => Warned("smtp is read as mail.x; the old daemon refuses this line");
    p27_checkcount:
        before_b0("checkcount=3")
        => Warned("checkcount option is deprecated and slated for removal.");
    p29_a_configuration_in_quotes:
        before_b0("execute=\"b.cf\"")
        => Warned("the quotes are no part of the name: b.cf");
    p30_an_unknown_word: before_b0("nosuch=1") => Bad("Unknown command nosuch=1");
    p48_neither_yes_nor_no: before_b0("quiescent=maybe") => Bad("quiescent must be 'yes' or 'no'");
}

rows! {
    p31_b0: B0 => Good;
    p32_four_blanks_are_a_tab: B0.replace('\t', "    ") => Good;
    p33_three_blanks_are_not: B0.replace('\t', "   ") => Bad("Unknown command");
    p34_an_empty_line_ends_a_section:
        middle("")
        => Bad("Unknown command: a section's line after an empty line");
    p35_so_do_four_blanks: middle("    ") => Bad("Unknown command");
    // P36 is better: an editor's blanks do no harm.
    p36_eight_blanks_do_not: middle("        ") => Good;
    p37_nor_does_a_comment: middle("# x") => Good;
    p39_a_hash_between_quotes: b0("request=\"a#b\"") => Warned("a # between quotes is a part of the value");
    typographic_quotes_around_a_request: b0("request=\u{201c}a\u{201d}") => Bad("Unknown command request=");
    typographic_quotes_around_a_host:
        b0("virtualhost=\u{201c}a\u{201d}")
        => Warned("typographic quotes are a part of the value");
    p41_a_request_without_quotes: b0("request=index.html") => Warned("request: double quotes are missing");
    p42_an_empty_request: b0("request=\"\"") => Bad("no request string specified");
    p44_an_empty_pattern: b0("receive=\"\"") => Bad("invalid receive string");
    p46_the_same_service_twice: format!("{B0}{B0}") => Bad("duplicate virtual server");
    p47_the_same_address_with_another_protocol: format!("{B0}{}", b0("protocol=udp")) => Good;
}

rows! {
    p61_sctp: b0("protocol=sctp") => Warned("protocol=sctp is new; the old daemon refuses this line");
    p61_no_protocol:
        b0("protocol=icmp")
        => Bad("protocol must be tcp or udp if the virtual service is an address and port");
    p62_a_mark_with_a_protocol:
        "virtual=5\n\tprotocol=tcp\n"
        => Bad("protocol must be fwm if the virtual service is a fwmark (a number)");
    p65_letters_and_a_number: b0("checktype=external2") => Bad("checktype must be");
    p67_a_capital_letter: b0("checktype=Connect") => Bad("checktype must be");
    p69_a_scheduler_in_capitals: b0("scheduler=WLC") => Warned("scheduler \"WLC\" is read as wlc");
    p69_no_scheduler: b0("scheduler=!") => Bad("invalid scheduler, should be only lowercase letters (a-z)");
}

rows! {
    p70_a_length_for_ipv4:
        b0("netmask=24")
        => Warned("a netmask of 24 bits; the old daemon refuses this line");
    p69_an_unknown_scheduler: b0("scheduler=nosuch") => Warned("no scheduler of Linux is called \"nosuch\"");
    a_host_with_odd_letters:
        b0("virtualhost=www.m\u{fc}ller.example")
        => Warned("virtualhost with characters that no host name has");
    p70_a_mask_with_a_gap:
        b0("netmask=255.0.255.0")
        => Bad("invalid netmask: dotted quad notation is required");
    p71_a_length_that_is_too_long:
        "virtual6=[::1]:80\n\tnetmask=129\n"
        => Bad("invalid netmask: a prefix length between 1 and 128 is required");
    p72_an_interval_of_its_own: b0("checkinterval=5") => Good;
    p73_a_global_word_in_a_section: b0("autoreload=yes") => Bad("Unknown command \"autoreload=yes\"");
    p74_a_real_server_of_the_other_family:
        b0("real6=[::1]:80 gate")
        => Bad("cannot specify \"real6\" here.  please use \"real\" instead");
    p75_a_monitor_file_that_cannot_be_opened:
        b0("monitorfile=/nonexistent/m")
        => Bad("unable to open monitorfile /nonexistent/m: ");
    k54_a_pattern_that_is_none: b0("receive=\"(\"") => Bad("invalid receive string");
}

rows! {
    // P49 is better: the old daemon takes this for firewall mark 10.
    p49_a_blank_before_the_port:
        section("virtual=10.0.0.100 :80")
        => Bad("invalid address for virtual server");
    p49_no_port: section("virtual=10.0.0.100") => Bad("invalid address for virtual server");
    p51_an_ipv6_address:
        section("virtual=[2001:db8::1]:80")
        => Bad("cannot specify an IPv6 address here. please use \"virtual6\" instead.");
    // The old daemon refuses the whole file.
    p54_an_unknown_host:
        section("virtual=nohost.invalid:80")
        => Warned("invalid address for virtual service: nohost.invalid does not resolve");
    p56_an_unknown_service_name:
        section("virtual=10.0.0.100:nosuchsvc")
        => Bad("invalid address for virtual service");
    p57_a_port_that_is_too_high:
        section("virtual=10.0.0.100:65536")
        => Bad("invalid address for virtual service");
    p59_no_address: section("virtual=:80") => Bad("invalid address for virtual server");
    p60_a_comment_behind_the_address: section("virtual=10.0.0.100:80 # web") => Good;
    p77_no_brackets: section("virtual6=2001:db8::1:80") => Bad("invalid address for virtual service");
    p78_an_unknown_real_server:
        real("real=nohost.invalid:80 gate")
        => Warned("invalid address (nohost.invalid) for real server (could not resolve host)");
    p79_an_unknown_port_of_a_real_server:
        real("real=10.0.0.1:nosuch gate")
        => Bad("invalid port (nosuch) for real server (could not resolve port)");
}
