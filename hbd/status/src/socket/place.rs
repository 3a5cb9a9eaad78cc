//! The socket's place in the file system: never there with wider rights than it shall have, taken
//! from no living daemon, and made again when somebody has emptied the directory.

use super::accounts;
use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    net::{UnixListener, UnixStream},
    time::timeout,
};

/// How long the probe for another daemon on the same socket may take.
const PROBE_LIMIT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    mode: u32,
    group: String,
    /// Device and number of the socket that we made last.
    made: Mutex<Option<(u64, u64)>>,
}

#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("{}: another daemon answers there", .0.display())]
    InUse(PathBuf),
    #[error("{}: exists and is not a socket", .0.display())]
    NotASocket(PathBuf),
    #[error("{}: {source}", path.display())]
    Bind { path: PathBuf, source: io::Error },
}

impl Place {
    pub(super) fn new(path: &Path, mode: u32, group: &str) -> Self {
        Self {
            path: path.to_owned(),
            mode,
            group: group.to_owned(),
            made: Mutex::default(),
        }
    }

    /// Listens there, in a directory that is made if it is missing. A socket left by a dead daemon
    /// is replaced; a living one is an error.
    pub(super) async fn bind(&self) -> Result<UnixListener, BindError> {
        let failed = |source| BindError::Bind {
            path: self.path.clone(),
            source,
        };
        refuse_living(&self.path).await?;
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        // Made under another name and moved, so that it never stands there with a wider mode.
        let fresh = self
            .path
            .with_extension(format!("{}.new", std::process::id()));
        let _ = fs::remove_file(&fresh);
        let listener = UnixListener::bind(&fresh).map_err(failed)?;
        let finished = self.finish(&fresh);
        if let Err(error) = finished {
            let _ = fs::remove_file(&fresh);
            return Err(failed(error));
        }
        Ok(listener)
    }

    fn finish(&self, fresh: &Path) -> io::Result<()> {
        fs::set_permissions(fresh, fs::Permissions::from_mode(self.mode))?;
        if let Some(gid) = accounts::group_id(&self.group) {
            // Refused to ordinary users, whose socket then stays their own.
            let _ = chown(fresh, None, Some(gid));
        }
        let made = identity(fresh)?;
        fs::rename(fresh, &self.path)?;
        *self.made() = Some(made);
        Ok(())
    }

    /// Is the socket there the one that we made last?
    pub(super) fn is_ours(&self) -> bool {
        let made = *self.made();
        made.is_some() && identity(&self.path).ok() == made
    }

    /// Takes our socket away; anything else is left alone.
    pub(super) fn clear(&self) {
        if self.is_ours() {
            let _ = fs::remove_file(&self.path);
        }
    }

    fn made(&self) -> std::sync::MutexGuard<'_, Option<(u64, u64)>> {
        // A number is whole, whoever panicked.
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

async fn refuse_living(path: &Path) -> Result<(), BindError> {
    match fs::symlink_metadata(path) {
        Err(_) => return Ok(()),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(BindError::NotASocket(path.to_owned()));
        }
        Ok(_) => {}
    }
    match timeout(PROBE_LIMIT, UnixStream::connect(path)).await {
        // Refused: nobody holds the other end. Anything else that fails, binding will tell.
        Ok(Err(error)) if error.kind() != io::ErrorKind::WouldBlock => Ok(()),
        // Connected, its queue is full, or it is too busy to say: somebody is there.
        _ => Err(BindError::InUse(path.to_owned())),
    }
}
