//! What this machine lacked when a check could not be put: descriptors, ports, memory, permission.
//!
//! Such an error says nothing of the server. Errors that a server or the way to it can cause are
//! none of these; nor is a route that is missing here, because clients would have none, too.

use std::io;

/// What was wanting, as an operator would say it; `None` if the error is about the server.
pub(super) fn of(error: &io::Error) -> Option<&'static str> {
    match error.raw_os_error()? {
        libc::EMFILE => Some("no file descriptor is left for this process (LimitNOFILE)"),
        libc::ENFILE => Some("no file descriptor is left on this machine (fs.file-max)"),
        libc::ENOBUFS | libc::ENOMEM => Some("no memory is left for another socket"),
        libc::EADDRNOTAVAIL => Some("no local address or port is left to ask from"),
        libc::EAGAIN => Some("the kernel has no resources left for another connection"),
        // A refusal of a distant packet filter comes as "host unreachable" or a reset.
        libc::EPERM | libc::EACCES => {
            Some("this machine does not permit it (its own packet filter, routes or capabilities)")
        }
        libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT => {
            Some("this machine does not speak this address family")
        }
        libc::EADDRINUSE => Some("the local address is in use"),
        libc::ENODEV => Some("the interface to ask from does not exist"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    #[test]
    fn our_own_want_is_told_from_a_server_that_fails() {
        let ours = [
            libc::EMFILE,
            libc::ENFILE,
            libc::ENOBUFS,
            libc::ENOMEM,
            libc::EADDRNOTAVAIL,
            libc::EAGAIN,
            libc::EPERM,
            libc::EACCES,
            libc::EAFNOSUPPORT,
        ];
        for errno in ours {
            assert!(
                super::of(&io::Error::from_raw_os_error(errno)).is_some(),
                "{errno}"
            );
        }
        let theirs = [
            libc::ECONNREFUSED,
            libc::ECONNRESET,
            libc::EHOSTUNREACH,
            libc::ENETUNREACH,
            libc::ETIMEDOUT,
            libc::EPIPE,
            libc::ENETDOWN,
        ];
        for errno in theirs {
            assert!(
                super::of(&io::Error::from_raw_os_error(errno)).is_none(),
                "{errno}"
            );
        }
        assert!(super::of(&io::ErrorKind::UnexpectedEof.into()).is_none());
    }
}
