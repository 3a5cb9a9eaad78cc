#![allow(clippy::unwrap_used)]

use super::*;
use std::{fs, thread};

/// Field 41 of `/proc/.../stat`: the scheduling policy.
fn policy_of_this_thread() -> u32 {
    let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
    let after_name = stat.rsplit(") ").next().unwrap();
    after_name.split(' ').nth(41 - 3).unwrap().parse().unwrap()
}

#[test]
fn a_thread_becomes_real_time_or_is_told_why_not() {
    // In a thread of its own: the policy must not leak into other tests.
    thread::spawn(|| {
        let denied = schedule(1);
        match denied {
            Ok(()) => assert_eq!(policy_of_this_thread(), 2, "SCHED_RR"),
            Err(source) => {
                assert_eq!(policy_of_this_thread(), 0, "SCHED_OTHER");
                let told = Denied::Scheduling {
                    priority: 1,
                    source,
                }
                .to_string();
                assert!(told.contains("CAP_SYS_NICE"), "{told}");
            }
        }
    })
    .join()
    .unwrap();
}

#[test]
fn denials_name_what_to_do() {
    let told = Denied::MemoryLock(io::ErrorKind::PermissionDenied.into()).to_string();
    assert!(told.contains("permission denied"), "{told}");
    assert!(told.contains("LimitMEMLOCK"), "{told}");
}
