//! Real servers that are spoken with in lines, as Debian ships them: exim, dovecot, INN's nnrpd,
//! vsftpd. Each on both families, with one login where there are logins.
//!
//! Owns their configuration and their lives. Knows nothing of directors.

use std::fs;
use std::net::{Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use super::host::Host;
use super::modules;
use super::unpacked::Unpacked;
use super::wait;

/// The password of every login; the name is free, but `anonymous` for ftp.
pub const PASSWORD: &str = "right";
/// From start to the open port.
const START_LIMIT: Duration = Duration::from_secs(20);
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// Debian's `nobody` and `nogroup`.
const NOBODY: u32 = 65534;

/// A server's program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Talker {
    /// smtp and submission.
    Exim,
    /// pop, pops, imap, imaps.
    Dovecot,
    /// nntp.
    Nnrpd,
    /// ftp, with the file `/welcome`.
    Vsftpd,
}

impl Talker {
    fn process(self) -> &'static str {
        match self {
            Self::Exim => "exim4",
            Self::Dovecot => "dovecot",
            Self::Nnrpd => "nnrpd",
            Self::Vsftpd => "vsftpd",
        }
    }

    fn ports(self) -> &'static [u16] {
        match self {
            Self::Exim => &[25, 587],
            Self::Dovecot => &[110, 143, 993, 995],
            Self::Nnrpd => &[119],
            Self::Vsftpd => &[21],
        }
    }
}

/// A server that runs. It ends with this value.
pub struct Talking {
    host: Arc<Host>,
    talker: Talker,
    child: Option<Child>,
}

impl Talking {
    /// Writes its files below the host's `/srv` and waits until its ports are open.
    pub fn start(host: Arc<Host>, talker: Talker) -> Result<Self> {
        let folder = host.folder().join("srv");
        fs::create_dir_all(&folder)?;
        let mut command = match talker {
            Talker::Exim => exim(&host, &folder)?,
            Talker::Dovecot => dovecot(&host, &folder)?,
            Talker::Nnrpd => nnrpd(&host, &folder)?,
            Talker::Vsftpd => vsftpd(&host, &folder)?,
        };
        let log = folder.join(format!("{talker:?}.out"));
        let child = command
            .stdin(Stdio::null())
            .stdout(fs::File::create(&log)?)
            .stderr(fs::File::options().append(true).open(&log)?)
            .spawn()
            .with_context(|| format!("{}: cannot start {talker:?}", host.name()))?;
        let talking = Self {
            host,
            talker,
            child: Some(child),
        };
        for port in talker.ports() {
            let what = format!("{talker:?} listens on port {port}");
            wait::until(&what, START_LIMIT, || talking.is_open(*port)).with_context(|| {
                let said = fs::read_to_string(&log).unwrap_or_default();
                format!("see {}: {said}", folder.display())
            })?;
        }
        Ok(talking)
    }

    /// Ends it, and waits until its ports refuse.
    pub fn stop(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        let talker = self.talker;
        self.host.signal(talker.process(), Signal::TERM);
        wait::until(&format!("{talker:?} closes its ports"), STOP_LIMIT, || {
            talker.ports().iter().all(|port| !self.is_open(*port))
        })?;
        let _ = child.kill();
        child.wait()?;
        Ok(())
    }

    fn is_open(&self, port: u16) -> bool {
        let here = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
        self.host
            .within(|| Ok(TcpStream::connect(here).map(drop)?))
            .is_ok()
    }
}

impl Drop for Talking {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

fn exim(host: &Host, folder: &Path) -> Result<Command> {
    let unpacked = Unpacked::fetch("exim4-daemon-light")?;
    let spool = folder.join("exim");
    fs::create_dir_all(&spool)?;
    chown(&spool, Some(NOBODY), Some(NOBODY))?;
    fs::write(folder.join("exim.conf"), EXIM)?;
    // The package's installation would make its user and its group.
    for (file, own) in [
        (
            "passwd",
            "Debian-exim:x:65534:65534::/srv/exim:/usr/sbin/nologin\n",
        ),
        ("group", "Debian-exim:x:65534:\n"),
    ] {
        let there = fs::read_to_string(Path::new("/etc").join(file))?;
        fs::write(folder.join(file), format!("{there}{own}"))?;
        host.sh(&format!("mount --bind /srv/{file} /etc/{file}"))?;
    }
    let mut command = host.command(unpacked.path("usr/sbin/exim4")?)?;
    command
        .args(["-bdf", "-C", "/srv/exim.conf"])
        .env("LD_LIBRARY_PATH", unpacked.libraries(&[]));
    Ok(command)
}

fn dovecot(host: &Host, folder: &Path) -> Result<Command> {
    let mail = folder.join("mail");
    fs::create_dir_all(&mail)?;
    fs::set_permissions(&mail, fs::Permissions::from_mode(0o777))?;
    fs::write(folder.join("dovecot.conf"), dovecot_conf())?;
    host.sh(
        "openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -days 2 \
         -subj /CN=mail.lab -addext subjectAltName=DNS:mail.lab \
         -keyout /srv/key.pem -out /srv/cert.pem 2>/srv/openssl.log",
    )?;
    let mut command = host.command(modules::program("dovecot")?)?;
    command.args(["-F", "-c", "/srv/dovecot.conf"]);
    Ok(command)
}

fn nnrpd(host: &Host, folder: &Path) -> Result<Command> {
    let unpacked = Unpacked::fetch("inn2")?;
    let bin = unpacked.path("usr/lib/news/bin")?;
    let libraries = unpacked.libraries(&["usr/lib/news"]);
    let news = folder.join("news");
    fs::create_dir_all(&news)?;
    fs::write(news.join("inn.conf"), inn_conf(&bin))?;
    for (name, text) in NEWS {
        fs::write(news.join(name), text)?;
    }
    let made = host
        .command(bin.join("makedbz"))?
        .args(["-i", "-o", "-f", "/srv/news/history"])
        .env("INNCONF", "/srv/news/inn.conf")
        .env("LD_LIBRARY_PATH", &libraries)
        .output()?;
    let said = String::from_utf8_lossy(&made.stderr);
    ensure!(made.status.success(), "makedbz: {said}");
    let mut command = host.command(bin.join("nnrpd"))?;
    command
        .args(["-D", "-f", "-p", "119"])
        .env("INNCONF", "/srv/news/inn.conf")
        .env("LD_LIBRARY_PATH", libraries);
    Ok(command)
}

fn vsftpd(host: &Host, folder: &Path) -> Result<Command> {
    let files = folder.join("files");
    // "ftp" is the home of Debian's user for anonymous FTP, which vsftpd enters before anything.
    for folder in [&files, &folder.join("empty"), &folder.join("ftp")] {
        fs::create_dir_all(folder)?;
    }
    fs::write(files.join("welcome"), "Welcome to the lab\n")?;
    fs::write(folder.join("passwords"), format!("{PASSWORD}\n"))?;
    fs::write(folder.join("talking.conf"), VSFTPD)?;
    let mut command = host.command(modules::program("vsftpd")?)?;
    command.arg("/srv/talking.conf");
    Ok(command)
}

const EXIM: &str = "\
primary_hostname = mail.lab
exim_user = nobody
exim_group = nogroup
daemon_smtp_ports = 25 : 587
local_interfaces = <; 0.0.0.0 ; ::0
spool_directory = /srv/exim
log_file_path = /srv/exim/%slog
pid_file_path = /srv/exim/pid
keep_environment =
host_lookup =
rfc1413_query_timeout = 0s
tls_advertise_hosts =
";

fn dovecot_conf() -> String {
    format!(
        "base_dir = /run/dovecot\nlog_path = /srv/dovecot.log\nprotocols = imap pop3\n\
         listen = *, ::\nssl = yes\nssl_cert = </srv/cert.pem\nssl_key = </srv/key.pem\n\
         disable_plaintext_auth = no\nauth_mechanisms = plain cram-md5\nauth_failure_delay = 0\n\
         passdb {{\n  driver = static\n  args = password={PASSWORD}\n}}\n\
         userdb {{\n  driver = static\n  args = uid={NOBODY} gid={NOBODY} home=/srv/mail\n}}\n\
         mail_location = maildir:/srv/mail/%u\nfirst_valid_uid = 1\n\
         service anvil {{\n  unix_listener anvil-auth-penalty {{\n    mode = 0\n  }}\n}}\n"
    )
}

fn inn_conf(bin: &Path) -> String {
    let head = "domain: lab\nfqdn: news.lab\npathhost: news.lab\norganization: lab\n\
                mta: \"/bin/true %s\"\nhismethod: hisv6\nenableoverview: true\n\
                ovmethod: tradindexed\nrunasuser: root\nrunasgroup: root\n";
    let paths = [
        "news", "db", "etc", "run", "log", "http", "spool", "articles", "overview", "tmp",
        "filter", "control", "incoming", "outgoing", "archive",
    ]
    .map(|path| format!("path{path}: /srv/news\n"));
    let bin = format!("pathbin: {}\n", bin.display());
    [head, &paths.concat(), &bin].concat()
}

/// What nnrpd looks for when somebody comes.
const NEWS: &[(&str, &str)] = &[
    ("active", "local.test 0000000000 0000000001 y\n"),
    ("newsgroups", ""),
    ("history", ""),
    ("tradspool.map", ""),
    ("group.index", ""),
    (
        "storage.conf",
        "method tradspool {\n  newsgroups: *\n  class: 0\n}\n",
    ),
    (
        "readers.conf",
        "auth \"all\" { hosts: \"*\" default: \"<all>\" }\n\
         access \"all\" { users: \"<all>\" newsgroups: \"*\" access: RPA }\n",
    ),
];

const VSFTPD: &str = "\
listen=NO
listen_ipv6=YES
background=NO
anonymous_enable=YES
local_enable=NO
write_enable=NO
secure_email_list_enable=YES
email_password_file=/srv/passwords
anon_root=/srv/files
secure_chroot_dir=/srv/empty
ftpd_banner=files of the lab
vsftpd_log_file=/srv/vsftpd.log
seccomp_sandbox=NO
nopriv_user=nobody
";
