//! What whoever started the daemon left open in it, and what must not reach the programs that the
//! daemon starts: a package manager waits for ever for the end of a pipe that a service holds.

use std::io;

/// The first descriptor after standard input, output and error.
const FIRST: libc::c_uint = 3;

/// Closes every other descriptor of this process in the programs that it starts from now on. Those
/// that the standard library opens are closed there anyway.
#[expect(unsafe_code, reason = "neither std nor rustix has close_range")]
pub fn keep_to_ourselves() -> io::Result<()> {
    let flags = libc::c_int::try_from(libc::CLOSE_RANGE_CLOEXEC).map_err(io::Error::other)?;
    // SAFETY: marking a descriptor closes nothing here, so nobody's descriptor goes away.
    let result = unsafe { libc::close_range(FIRST, libc::c_uint::MAX, flags) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

    #[test]
    fn inherited_descriptors_end_with_us() {
        let file = std::fs::File::open("/dev/null").unwrap();
        fcntl_setfd(&file, FdFlags::empty()).unwrap();
        keep_to_ourselves().unwrap();
        assert_eq!(fcntl_getfd(&file).unwrap(), FdFlags::CLOEXEC);
    }
}
