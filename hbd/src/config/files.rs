//! Reading a file of the configuration, or saying why that was impossible.

use ha_plumbing::{Diagnostic, Source};
use std::io;
use std::path::Path;

/// A file that must be there.
pub(super) fn read(path: &Path) -> Result<Source, Box<Diagnostic>> {
    Source::read(path).map_err(|error| Box::new(unreadable(path, &error)))
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    let fault = Diagnostic::error(format!("cannot read the file: {error}")).in_file(path);
    if error.kind() == io::ErrorKind::PermissionDenied {
        fault.permission()
    } else {
        fault
    }
}
