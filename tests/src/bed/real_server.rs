//! A real server: nginx and vsftpd on a host, each answering with the server's name.
//!
//! Owns their configuration and their lives. Knows nothing of directors; direct routing only asks it
//! to hold the virtual address without telling the neighbours.

use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;

use super::client;
use super::host::Host;
use super::modules;
use super::probe::await_answer_of;
use super::wait;

/// From start to the first answer; two servers at once take a second under emulation.
const START_LIMIT: Duration = Duration::from_secs(20);
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// The services of a real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    Http,
    Ftp,
}

impl Service {
    pub const ALL: [Self; 2] = [Self::Http, Self::Ftp];

    pub fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Ftp => 21,
        }
    }

    fn process(self) -> &'static str {
        match self {
            Self::Http => "nginx",
            Self::Ftp => "vsftpd",
        }
    }
}

/// Servers on one host. Their pages are `/index.html` and `/test.html`, in the folder [`RealServer::pages`].
pub struct RealServer {
    host: Arc<Host>,
    folder: PathBuf,
    running: Mutex<Vec<(Service, Child)>>,
}

impl RealServer {
    /// Writes configuration and pages, and starts both services.
    pub fn start(host: Arc<Host>) -> Result<Self> {
        let folder = host.folder().join("srv");
        let server = Self {
            host,
            folder,
            running: Mutex::default(),
        };
        server.write_files()?;
        for service in Service::ALL {
            server.start_service(service)?;
        }
        for service in Service::ALL {
            server.await_service(service)?;
        }
        Ok(server)
    }

    pub fn host(&self) -> &Host {
        &self.host
    }

    /// What nginx serves and an anonymous FTP user sees; changing a page changes a check's verdict.
    pub fn pages(&self) -> PathBuf {
        self.folder.join("pages")
    }

    /// Starts a service and waits until it answers on the host itself. Running already is no error.
    pub fn start_and_await(&self, service: Service) -> Result<()> {
        self.start_service(service)?;
        self.await_service(service)
    }

    /// Stops a service at once and waits until its port refuses.
    pub fn stop(&self, service: Service) -> Result<()> {
        let mut running = self.lock();
        self.host.signal(service.process(), Signal::KILL);
        wait::until(
            &format!("{service:?} of {} stops", self.host.name()),
            STOP_LIMIT,
            || self.host.processes(service.process()).is_empty(),
        )?;
        for (_, child) in running.iter_mut().filter(|(known, _)| *known == service) {
            let _ = child.wait();
        }
        running.retain(|(known, _)| *known != service);
        Ok(())
    }

    /// Direct routing: accept packets for `virtual_address`, but neither answer ARP requests for it nor
    /// use it as the sender of our own.
    pub fn join_direct_routing(&self, virtual_address: Ipv4Addr) -> Result<()> {
        self.host.sysctl(&[
            ("net.ipv4.conf.all.arp_ignore", "1"),
            ("net.ipv4.conf.all.arp_announce", "2"),
        ])?;
        let address = format!("{virtual_address}/32");
        self.host
            .run(&["ip", "address", "replace", &address, "dev", "lo"])
            .map(drop)
    }

    fn start_service(&self, service: Service) -> Result<()> {
        let mut running = self.lock();
        // What died with the host's power is not running.
        running.retain_mut(|(_, child)| matches!(child.try_wait(), Ok(None)));
        if running.iter().any(|(known, _)| *known == service) {
            return Ok(());
        }
        let mut command = self.command(service)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(
                self.folder.join(format!("{}.stderr", service.process())),
            )?)
            .spawn()
            .with_context(|| format!("{}: cannot start {service:?}", self.host.name()))?;
        running.push((service, child));
        Ok(())
    }

    fn command(&self, service: Service) -> Result<Command> {
        let mut command = self.host.command(modules::program(service.process())?)?;
        match service {
            Service::Http => {
                command
                    .arg("-p")
                    .arg(&self.folder)
                    .arg("-c")
                    .arg(self.folder.join("nginx.conf"));
                command.arg("-e").arg(self.folder.join("nginx.log"));
            }
            Service::Ftp => {
                command.arg("/srv/vsftpd.conf");
            }
        }
        Ok(command)
    }

    fn await_service(&self, service: Service) -> Result<()> {
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, service.port()));
        let what = format!("{service:?} of {} answers", self.host.name());
        await_answer_of(&what, START_LIMIT, || match service {
            Service::Http => client::get(&self.host, here, "/index.html").map(drop),
            Service::Ftp => client::ftp_greeting(&self.host, here).map(drop),
        })
        .with_context(|| format!("see the logs in {}", self.folder.display()))
    }

    fn write_files(&self) -> Result<()> {
        let name = self.host.name();
        let pages = self.pages();
        fs::create_dir_all(&pages)?;
        // "ftp" is the home of Debian's user for anonymous FTP, which vsftpd enters before anything.
        for folder in ["empty", "tmp", "ftp"] {
            fs::create_dir_all(self.folder.join(folder))?;
        }
        fs::write(pages.join("index.html"), format!("{name}\n"))?;
        fs::write(pages.join("test.html"), format!("{name} Test Page\n"))?;
        fs::write(self.folder.join("nginx.conf"), nginx_conf())?;
        fs::write(self.folder.join("vsftpd.conf"), vsftpd_conf(name))?;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Service, Child)>> {
        self.running
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for RealServer {
    fn drop(&mut self) {
        for service in Service::ALL {
            let _ = self.stop(service);
        }
    }
}

/// Paths are those inside the host: outside, no other user may be able to reach them.
fn nginx_conf() -> String {
    let mut scratch = String::new();
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        let _ = writeln!(scratch, "    {kind}_temp_path /srv/tmp/{kind};");
    }
    format!(
        "user root;\ndaemon off;\nworker_processes 1;\npid /srv/nginx.pid;\n\
         events {{ worker_connections 256; }}\n\
         http {{\n    access_log off;\n    default_type text/html;\n{scratch}    \
         server {{\n        listen 80 default_server;\n        \
         listen [::]:80 default_server;\n        root /srv/pages;\n    }}\n}}\n"
    )
}

fn vsftpd_conf(name: &str) -> String {
    format!(
        "listen=YES\nbackground=NO\nanonymous_enable=YES\nlocal_enable=NO\nwrite_enable=NO\n\
         anon_root=/srv/pages\nsecure_chroot_dir=/srv/empty\nftpd_banner={name}\n\
         vsftpd_log_file=/srv/vsftpd.log\nseccomp_sandbox=NO\nnopriv_user=nobody\n"
    )
}
