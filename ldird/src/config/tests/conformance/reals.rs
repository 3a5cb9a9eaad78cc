//! Rows of section 8.2 that are accepted or refused.

use super::super::Expect::{Bad, Good, Warned};
use super::super::{B0, b0, real};

const METHOD: &str = "forward method must be gate, masq or ipip";
const AROUND: &str = "Invalid real server line, around";

rows! {
    r2_no_port: real("real=10.0.0.1 gate") => Good;
    r4_no_method: real("real=10.0.0.1:80") => Bad("invalid address for real server (wrong format)");
    r5_a_blank_for_a_method: real("real=10.0.0.1:80 ") => Bad(METHOD);
    r6_a_method_in_capitals: real("real=10.0.0.1:80 GATE") => Bad(METHOD);
    r7_a_negative_weight: real("real=10.0.0.1:80 gate -1") => Bad(AROUND);
    r7_words_behind_the_weight: real("real=10.0.0.1:80 gate 3 junk") => Bad(AROUND);
    a_weight_as_for_ipvsadm: real("real=10.0.0.1:80 gate -w 3") => Warned("\"-w\" is ignored");
    a_weight_behind_a_fallback: b0("fallback=127.0.0.1:80 gate 1") => Warned("\"1\" is ignored");
    r13_a_request_alone: real("real=10.0.0.1:80 gate 1 \"a\"") => Bad(AROUND);
    r20_a_range_that_goes_down: real("real=10.0.0.9->10.0.0.1:80 gate") => Bad("Invalid Range: ");
    r25_an_underscore: real("real=web_1:80 gate") => Bad("invalid address for real server (wrong format)");
    two_colons: real("real=192.168.6.2::5060 gate") => Bad("invalid address for real server (wrong format)");
    garbage_before_the_address:
        real("real=@@10.0.0.1:80 gate")
        => Bad("invalid address for real server (wrong format)");
    r26_twice_the_same:
        real("real=10.0.0.1:80 gate\n\treal=10.0.0.1:80 gate")
        => Warned("real server 10.0.0.1:80 stands on line 3, too");
    r29_a_fallback_with_an_unknown_method: real("fallback=127.0.0.1:80 nat") => Bad(METHOD);
    r32_a_global_fallback_with_an_unknown_method: format!("fallback=127.0.0.1:80 nat\n{B0}") => Bad(METHOD);
    a_fallback_that_is_a_real_server:
        b0("fallback=10.0.0.1:80")
        => Warned("virtual 10.0.0.100:80: the fallback 10.0.0.1:80 is one of its real servers");
}
