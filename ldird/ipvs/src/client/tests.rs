//! What the kernel's refusals become, where that needs no kernel.

use super::*;

fn refused(operation: Operation, errno: i32) -> Error {
    refusal(Attempt::at(operation), errno)
}

#[test]
fn an_unknown_family_number_means_that_the_module_is_gone() {
    for operation in [Operation::ListServices, Operation::Info, Operation::Flush] {
        let error = refused(operation, libc::ENOENT);
        assert!(
            matches!(error, Error::ModuleMissing { .. }),
            "{operation:?}: {error}"
        );
    }
    // Here the same number has a meaning of its own.
    let error = refused(Operation::AddService, libc::ENOENT);
    assert_eq!(error.cause(), Some(Cause::NoSuchScheduler));
    let error = refused(Operation::DeleteDestination, libc::ENOENT);
    assert_eq!(error.cause(), Some(Cause::NoSuchDestination));
}

#[test]
fn missing_privilege_is_told_apart_from_every_other_refusal() {
    let error = refused(Operation::ListServices, libc::EPERM);
    assert!(matches!(error, Error::NotPermitted { .. }), "{error}");
    assert!(
        error
            .to_string()
            .starts_with("list virtual services: Permission denied"),
        "{error}"
    );
    assert_eq!(error.cause(), None);
}

#[test]
fn an_answer_without_a_message_is_malformed() {
    let missing = only(&Answer::default()).and_then(Info::decode);
    let error = decode(Attempt::at(Operation::Info), missing).map_err(|error| error.to_string());
    assert_eq!(
        error,
        Err("read the IPVS version: unexpected answer: answer: no attribute at all".to_owned())
    );
}
