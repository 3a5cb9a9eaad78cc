//! A host: namespaces plus cables, with the things that happen to real machines - losing power, losing
//! a cable, hearing but not being heard, freezing.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use super::netns::{Process, Space, within};
use super::network::Network;

/// One cable: a device inside, a port on the switch.
#[derive(Debug, Clone)]
pub(super) struct Nic {
    pub(super) device: String,
    pub(super) port: String,
    pub(super) mac: String,
    pub(super) segment: String,
    pub(super) addresses: Vec<String>,
}

impl Nic {
    /// Lays the cable between switch and host.
    fn cable(&self, space: &Space) -> Vec<String> {
        let Self {
            device,
            port,
            mac,
            segment,
            addresses: _,
        } = self;
        let init = space.init();
        vec![
            format!("link add {port} type veth peer name {device} address {mac} netns {init}"),
            format!("link set {port} master {segment} up"),
        ]
    }

    /// What the host does with the device.
    fn setup(&self) -> Vec<String> {
        let device = &self.device;
        let addresses = self.addresses.iter();
        let mut lines: Vec<String> = addresses
            .map(|address| address_line(address, device))
            .collect();
        lines.push(format!("link set {device} up"));
        lines
    }
}

/// A host of the lab, on or off. Its disk (folder) survives a loss of power, its `/run` does not.
pub struct Host {
    network: Arc<Network>,
    name: String,
    folder: PathBuf,
    nics: Vec<Nic>,
    gateway: Option<Ipv4Addr>,
    sysctls: Vec<(String, String)>,
    power: Mutex<Option<Space>>,
}

impl Host {
    pub(super) fn new(
        network: Arc<Network>,
        name: String,
        folder: PathBuf,
        nics: Vec<Nic>,
        gateway: Option<Ipv4Addr>,
        sysctls: Vec<(String, String)>,
    ) -> Self {
        Self {
            network,
            name,
            folder,
            nics,
            gateway,
            sysctls,
            power: Mutex::new(None),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The host's disk, seen from outside: `etc` is its `/etc/ha.d`, `state` its `/var/lib/heartbeat`,
    /// `log` its `/var/log`, `srv` its `/srv`, `run` its `/run` (whose sockets can be reached from outside).
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Switches the host on with all cables plugged in. On already is no error.
    pub fn power_on(&self) -> Result<()> {
        let mut power = self.lock();
        if power.is_some() {
            return Ok(());
        }
        self.prepare_disk()?;
        let space = Space::start(&self.name, Some(&self.folder))?;
        self.plug_in(&space)
            .with_context(|| format!("host {}: cables", self.name))?;
        *power = Some(space);
        Ok(())
    }

    /// A real loss of power: cables go silent first, then everything dies at once. No shutdown code
    /// runs, no farewell packet leaves, not even the kernel's own when it closes connections.
    pub fn power_off(&self) -> Result<()> {
        let mut power = self.lock();
        if power.is_none() {
            return Ok(());
        }
        self.set_ports("down")?;
        *power = None;
        // The kernel takes the cables away when it finds the time, before or after us; new ones may
        // have to come at once.
        self.network
            .switch
            .ip_if_possible(&self.each_port(|nic| format!("link del {}", nic.port)));
        Ok(())
    }

    pub fn is_on(&self) -> bool {
        self.lock().is_some()
    }

    /// A command that will run on this host, as root, in folder `/`.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Result<Command> {
        self.with_space(|space| Ok(space.command(program)))
    }

    /// Runs a command to its end and gives its standard output; failure carries what it complained of.
    pub fn run(&self, argv: &[&str]) -> Result<String> {
        let (program, arguments) = argv.split_first().context("nothing to run")?;
        let output = self
            .command(program)?
            .args(arguments)
            .stdin(Stdio::null())
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "{}: {}: {}: {}",
            self.name,
            argv.join(" "),
            output.status,
            said.trim()
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs a line of shell; see [`Host::run`].
    pub fn sh(&self, line: &str) -> Result<String> {
        self.run(&["sh", "-ec", line])
    }

    /// Runs `work` on a thread inside the host's network: sockets made there stay there.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        // Not under the lock: the work may last, and power can be lost meanwhile.
        let network = self.with_space(|space| Ok(space.network()))?;
        within(&network, work)
    }

    /// Sets kernel settings now, as `("net.ipv4.ip_forward", "1")`.
    pub fn sysctl(&self, settings: &[(&str, &str)]) -> Result<()> {
        let settings: Vec<String> = settings
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut argv = vec!["sysctl", "-q", "-w"];
        argv.extend(settings.iter().map(String::as_str));
        self.run(&argv).map(drop)
    }

    /// Pulls every cable; the host keeps running.
    pub fn cut(&self) -> Result<()> {
        self.set_ports("down")
    }

    /// Plugs every cable in again.
    pub fn join(&self) -> Result<()> {
        self.set_ports("up")
    }

    /// Pulls one cable, such as `eth1`.
    pub fn cut_one(&self, device: &str) -> Result<()> {
        let nic = self.nic(device)?;
        self.network
            .switch
            .ip(&[format!("link set {} down", nic.port)])
    }

    /// Plugs one cable in again.
    pub fn join_one(&self, device: &str) -> Result<()> {
        let nic = self.nic(device)?;
        self.network
            .switch
            .ip(&[format!("link set {} up", nic.port)])
    }

    /// The switch forwards nothing from or to this cable, and its carrier stays: nothing but the
    /// silence tells either side.
    pub fn isolate(&self, device: &str) -> Result<()> {
        let port = &self.nic(device)?.port;
        self.network
            .switch
            .ip(&[format!("link set {port} nomaster")])
    }

    /// Ends [`Host::isolate`].
    pub fn admit(&self, device: &str) -> Result<()> {
        let nic = self.nic(device)?;
        let line = format!("link set {} master {}", nic.port, nic.segment);
        self.network.switch.ip(&[line])
    }

    /// A card fails or is taken out: the device is gone, and whatever hung on it.
    pub fn remove_nic(&self, device: &str) -> Result<()> {
        let port = &self.nic(device)?.port;
        self.network.switch.ip(&[format!("link del {port}")])
    }

    /// The card is there again, as another device of the same name, with its addresses if the machine
    /// sets them up at once.
    pub fn insert_nic(&self, device: &str, addressed: bool) -> Result<()> {
        let nic = self.nic(device)?;
        self.with_space(|space| {
            self.network.switch.ip(&nic.cable(space))?;
            let lines = nic.setup().into_iter();
            let lines = lines.filter(|line| addressed || !line.starts_with("address"));
            space.ip(&lines.collect::<Vec<String>>())
        })
    }

    /// The host no longer hears this cable, but is heard.
    pub fn deafen(&self, device: &str) -> Result<()> {
        self.impair(device, "loss 100%")
    }

    /// What the host hears suffers, in netem's words: `delay 20ms 5ms loss 10% duplicate 1%`.
    pub fn impair(&self, device: &str, netem: &str) -> Result<()> {
        let port = &self.nic(device)?.port;
        self.network
            .tc(&format!("qdisc replace dev {port} root netem {netem}"))
    }

    /// The host is no longer heard on this cable, but hears.
    pub fn mute(&self, device: &str) -> Result<()> {
        self.nic(device)?;
        self.run(&[
            "tc", "qdisc", "replace", "dev", device, "root", "netem", "loss", "100%",
        ])
        .map(drop)
    }

    /// Ends [`Host::deafen`], [`Host::impair`] and [`Host::mute`] on this cable.
    pub fn heal(&self, device: &str) -> Result<()> {
        let port = self.nic(device)?.port.clone();
        // "noqueue" is what these devices have by nature; deleting it when nothing is there would fail.
        self.network
            .tc(&format!("qdisc replace dev {port} root noqueue"))?;
        self.run(&["tc", "qdisc", "replace", "dev", device, "root", "noqueue"])
            .map(drop)
    }

    /// Has its kernel this address as its own? Read and not asked of a program: cheap enough for
    /// those who look all the time. A host without power has none.
    pub fn owns(&self, address: Ipv4Addr) -> Result<bool> {
        let Some(init) = self.lock().as_ref().map(Space::init) else {
            return Ok(false);
        };
        let routes = fs::read_to_string(format!("/proc/{init}/net/fib_trie"))?;
        let leaf = format!("|-- {address}");
        let mut lines = routes.lines().map(str::trim).peekable();
        while let Some(line) = lines.next() {
            let below = lines.peek().is_some_and(|below| *below == "/32 host LOCAL");
            if line == leaf && below {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Living processes of that name on this host, the oldest first.
    pub fn processes(&self, name: &str) -> Vec<Process> {
        self.lock()
            .as_ref()
            .map(|space| space.processes(name))
            .unwrap_or_default()
    }

    /// Signals every process of that name and says how many there were.
    pub fn signal(&self, name: &str, signal: Signal) -> usize {
        let found = self.processes(name);
        for process in &found {
            process.signal(signal);
        }
        found.len()
    }

    /// Stops the clock of a daemon, as a stalled virtual machine does.
    pub fn freeze(&self, name: &str) -> usize {
        self.signal(name, Signal::STOP)
    }

    /// Lets a frozen daemon go on.
    pub fn thaw(&self, name: &str) -> usize {
        let thawed = self.signal(name, Signal::CONT);
        if let Some(space) = self.lock().as_ref() {
            space.release_entrants();
        }
        thawed
    }

    fn lock(&self) -> MutexGuard<'_, Option<Space>> {
        self.power
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn with_space<T>(&self, work: impl FnOnce(&Space) -> Result<T>) -> Result<T> {
        work(
            self.lock()
                .as_ref()
                .with_context(|| format!("host {} has no power", self.name))?,
        )
    }

    fn nic(&self, device: &str) -> Result<&Nic> {
        let found = self.nics.iter().find(|nic| nic.device == device);
        found.with_context(|| format!("host {} has no device {device}", self.name))
    }

    fn each_port(&self, line: impl Fn(&Nic) -> String) -> Vec<String> {
        self.nics.iter().map(line).collect()
    }

    fn set_ports(&self, state: &str) -> Result<()> {
        self.network
            .switch
            .ip(&self.each_port(|nic| format!("link set {} {state}", nic.port)))
    }

    /// First time: the scripts that packages put into `/etc/ha.d`, as on a freshly installed director.
    fn prepare_disk(&self) -> Result<()> {
        let run = self.folder.join("run");
        if run.exists() {
            fs::remove_dir_all(&run)?;
        }
        fs::create_dir_all(&self.folder)?;
        for (own, place) in [("etc", "/etc/ha.d"), ("state", "/var/lib/heartbeat")] {
            let own = self.folder.join(own);
            if own.exists() {
                continue;
            }
            if !Path::new(place).is_dir() {
                fs::create_dir_all(own)?;
                continue;
            }
            // Owners matter: the old daemon checks those of its state.
            let copied = Command::new("cp").arg("-a").arg(place).arg(&own).status()?;
            ensure!(
                copied.success(),
                "cannot copy {place} for host {}",
                self.name
            );
        }
        Ok(())
    }

    fn plug_in(&self, space: &Space) -> Result<()> {
        let mut outside = Vec::new();
        let mut inside = Vec::new();
        for nic in &self.nics {
            outside.extend(nic.cable(space));
            inside.extend(nic.setup());
        }
        if let Some(gateway) = self.gateway {
            inside.push(format!("route add default via {gateway}"));
        }
        self.network.switch.ip(&outside)?;
        space.ip(&inside)?;
        self.apply_sysctls(space)
    }

    fn apply_sysctls(&self, space: &Space) -> Result<()> {
        if self.sysctls.is_empty() {
            return Ok(());
        }
        let lines: Vec<String> = self
            .sysctls
            .iter()
            .map(|(name, value)| format!("{name} = {value}"))
            .collect();
        let mut child = space
            .command("sysctl")
            .args(["-q", "-p", "-"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        child
            .stdin
            .take()
            .context("piped")?
            .write_all(lines.join("\n").as_bytes())?;
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "sysctl: {}", said.trim());
        Ok(())
    }
}

/// With a broadcast address, as every distribution configures its interfaces: the kernel sets none
/// by itself, and `bcast` media need one.
fn address_line(address: &str, device: &str) -> String {
    let broadcast = if address.contains(':') { "" } else { " brd +" };
    format!("address add {address}{broadcast} dev {device}")
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.power_off();
    }
}
