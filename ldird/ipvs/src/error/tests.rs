//! The kernel's error numbers in ipvsadm's words (kernel interface 5.4).

use Operation::{
    AddDestination, AddService, DeleteDestination, DeleteService, EditDestination, EditService,
    Flush, ListServices, StartDaemon, StopDaemon, Zero,
};

use super::*;

#[test]
fn what_an_error_number_means_depends_on_the_operation() {
    let table = [
        (AddService, libc::EEXIST, "Service already exists"),
        (
            AddService,
            libc::ENOENT,
            "Scheduler or persistence engine not found",
        ),
        (EditService, libc::ESRCH, "No such service"),
        (
            EditService,
            libc::ENOENT,
            "Scheduler or persistence engine not found",
        ),
        (DeleteService, libc::ESRCH, "No such service"),
        (ListServices, libc::ESRCH, "No such service"),
        (Zero, libc::ESRCH, "No such service"),
        (AddDestination, libc::ESRCH, "Service not defined"),
        (AddDestination, libc::EEXIST, "Destination already exists"),
        (EditDestination, libc::ESRCH, "Service not defined"),
        (EditDestination, libc::ENOENT, "No such destination"),
        (DeleteDestination, libc::ESRCH, "Service not defined"),
        (DeleteDestination, libc::ENOENT, "No such destination"),
        (StartDaemon, libc::EEXIST, "Daemon has already run"),
        (StopDaemon, libc::ESRCH, "No daemon is running"),
        (StartDaemon, libc::ENODEV, "No such device (os error 19)"),
        (Flush, libc::ENOMEM, "Cannot allocate memory (os error 12)"),
    ];
    for (operation, errno, words) in table {
        assert_eq!(
            Cause::of(operation, errno).to_string(),
            words,
            "{operation:?} {errno}"
        );
    }
}

#[test]
fn a_message_names_the_operation_and_whom_it_was_about() {
    let service = Some(ServiceId::tcp([192, 0, 2, 1], 80));
    let destination = Some(SocketAddr::from(([10, 0, 0, 2], 80)));
    let cause = Cause::NoSuchDestination;
    let attempt = Attempt {
        operation: EditDestination,
        service,
        destination,
    };
    assert_eq!(
        Error::Kernel { attempt, cause }.to_string(),
        "edit real server 10.0.0.2:80 of TCP 192.0.2.1:80: No such destination"
    );
    let attempt = Attempt {
        operation: DeleteService,
        service,
        destination: None,
    };
    let cause = Cause::NoSuchService;
    assert_eq!(
        Error::Kernel { attempt, cause }.to_string(),
        "delete virtual service TCP 192.0.2.1:80: No such service"
    );
}

#[test]
fn a_missing_module_says_what_to_do() {
    let text = Error::ModuleMissing {
        modprobe: "not found".to_owned(),
    }
    .to_string();
    assert!(text.starts_with("Can't initialize ipvs: "), "{text}");
    assert!(text.contains("modprobe ip_vs"), "{text}");
}
