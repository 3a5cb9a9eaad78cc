//! An emulated machine whose kernel has IPVS, with this machine's own files and programs inside.
//!
//! Boots Debian's stock kernel under qemu's plain emulation, runs one command, streams its output and
//! hands back its exit code. The root is read-only to the inside, with a throw-away layer on top; only
//! `target/lab/scratch` is shared for writing. Where this kernel has IPVS already, no machine is
//! booted: the command runs in fresh namespaces.

mod channel;
mod initramfs;
pub mod inside;
mod terminal;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use self::channel::{CONTROL, ERRORS, Job, OUTPUT, ToHost, ToInside};
use self::terminal::RawTerminal;
use super::kernel::{self, Kernel};
use super::signals::Signals;
use super::{modules, packages, say, scratch, wait};

/// From the start of qemu to the first word from the inside; 3-5 s is normal on two idle cores.
const BOOT_LIMIT: Duration = Duration::from_secs(120);
/// How often the loop looks for signals, sizes and the time limit.
const TICK: Duration = Duration::from_millis(50);
/// Memory of the machine in MiB; taken from the host only as it is used.
const MEMORY: u32 = 3072;
/// Ctrl-] ends the machine when nothing inside answers any more.
const ESCAPE: u8 = 0x1d;
const CONSOLE_LOG: &str = "console.log";
const QEMU_LOG: &str = "qemu.log";
/// Lines of the console shown when a boot fails.
const CONSOLE_TAIL: usize = 15;

/// Inside, two serial ports joined by a null-modem cable.
pub const CABLE: [&str; 2] = ["/dev/ttyS1", "/dev/ttyS2"];

/// What to run inside, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// From boot to end; `None` for a person at the terminal.
    pub limit: Option<Duration>,
    /// Pass the person's terminal through. Without one this changes nothing.
    pub interactive: bool,
}

impl Options {
    /// A command with plain pipes and a limit.
    pub fn command<S: Into<String>>(argv: impl IntoIterator<Item = S>, limit: Duration) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            limit: Some(limit),
            interactive: false,
        }
    }
}

/// Runs a command under a kernel with IPVS and returns its exit code (128 + signal if killed).
pub fn run(options: &Options) -> Result<u8> {
    ensure!(!options.argv.is_empty(), "nothing to run");
    packages::ensure_demo()?;
    fs::create_dir_all(scratch()).context("cannot create the scratch directory")?;
    if modules::kernel_has_ipvs() {
        return run_here(options);
    }
    let kernel = kernel::ensure()?;
    let signals = Signals::watch()?;
    let machine = Machine::boot(&kernel)?;
    machine.serve(options, &signals)
}

/// The kernel has what we need: namespaces of the command's own keep this machine's network out.
fn run_here(options: &Options) -> Result<u8> {
    let mut command = Command::new("unshare");
    command
        .args([
            "--net",
            "--mount",
            "--uts",
            "--ipc",
            "--pid",
            "--fork",
            "--mount-proc",
        ])
        .args(["--kill-child=KILL", "--"]);
    if let Some(limit) = options.limit {
        command
            .args(["timeout", "--signal=KILL"])
            .arg(format!("{}", limit.as_secs()));
    }
    let status = command
        .args(&options.argv)
        .status()
        .context("cannot run unshare")?;
    Ok(inside::exit_code(status))
}

/// A running qemu with its three channels. Dropping it kills qemu.
struct Machine {
    qemu: Child,
    control: UnixStream,
    output: UnixStream,
    errors: UnixStream,
    started: Instant,
    /// Holds the sockets, the boot files and the console's log.
    folder: tempfile::TempDir,
}

impl Machine {
    fn boot(kernel: &Kernel) -> Result<Self> {
        say(&format!(
            "booting Linux {} in an emulated machine",
            kernel.version
        ));
        let folder = boot_folder()?;
        let program = super::program()?;
        let initramfs = folder.path().join("initramfs");
        fs::write(&initramfs, initramfs::build(kernel, &scratch(), &program)?)?;
        let listeners =
            [CONTROL, OUTPUT, ERRORS].map(|name| UnixListener::bind(folder.path().join(name)));
        let started = Instant::now();
        let mut qemu = qemu(kernel, &initramfs, folder.path())?
            .spawn()
            .context("cannot run qemu")?;
        let mut channels = Vec::new();
        for listener in listeners {
            match accept(
                &listener.context("cannot listen")?,
                &mut qemu,
                folder.path(),
            ) {
                Ok(channel) => channels.push(channel),
                Err(error) => {
                    let _ = qemu.kill();
                    let _ = qemu.wait();
                    return Err(error);
                }
            }
        }
        let [control, output, errors] =
            <[UnixStream; 3]>::try_from(channels).expect("one channel per listener");
        Ok(Self {
            qemu,
            control,
            output,
            errors,
            started,
            folder,
        })
    }

    /// Hands the job over, relays until it ends and gives its exit code.
    fn serve(mut self, options: &Options, signals: &Signals) -> Result<u8> {
        let raw = (options.interactive && RawTerminal::is_available())
            .then(RawTerminal::enter)
            .transpose()?;
        let job = job(options, raw.is_some())?;
        self.tell(&ToInside::Job(job))?;
        let relays = [
            relay(self.output.try_clone()?, io::stdout()),
            relay(self.errors.try_clone()?, io::stderr()),
        ];
        if raw.is_some() {
            let to = self.output.try_clone()?;
            let qemu = self.control.try_clone()?;
            thread::spawn(move || type_into(to, &qemu));
        }
        let ended = self.follow(options, signals, raw.is_some());
        // All output came before the report: the inside copies first. Then nothing is worth saving.
        self.stop();
        for relay in relays {
            let _ = relay.join();
        }
        drop(raw);
        ended
    }

    /// Waits for the report while watching the limit, signals and the terminal's size.
    fn follow(&mut self, options: &Options, signals: &Signals, terminal: bool) -> Result<u8> {
        self.control.set_read_timeout(Some(TICK))?;
        let mut reader = BufReader::new(self.control.try_clone()?);
        let mut line = String::new();
        let mut booted = false;
        loop {
            match reader.read_line(&mut line) {
                Ok(0) => bail!(
                    "the emulated machine went away{}",
                    console_tail(self.folder.path())
                ),
                Ok(_) => {
                    match serde_json::from_str(&line).context("the inside spoke nonsense")? {
                        ToHost::Booted => booted = true,
                        ToHost::Ended(code) => return Ok(code),
                        ToHost::Failed(reason) => bail!("inside: {reason}"),
                    }
                    line.clear();
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    ) => {}
                Err(error) => return Err(error).context("cannot hear the emulated machine"),
            }
            if let Some(signal) = signals.ending() {
                bail!("ended by signal {signal}");
            }
            if terminal && signals.take_resized() {
                self.tell(&ToInside::Resize(RawTerminal::size()))?;
            }
            let elapsed = self.started.elapsed();
            if !booted && elapsed > BOOT_LIMIT {
                bail!(
                    "no boot within {} s{}",
                    BOOT_LIMIT.as_secs(),
                    console_tail(self.folder.path())
                );
            }
            if let Some(limit) = options.limit.filter(|limit| elapsed > *limit) {
                bail!(
                    "still running after {} s: {}",
                    limit.as_secs(),
                    options.argv.join(" ")
                );
            }
        }
    }

    fn tell(&mut self, message: &ToInside) -> Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        self.control
            .write_all(&line)
            .context("the emulated machine does not listen")
    }

    fn stop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A folder that vanishes with the machine; those of lab runs that were killed vanish now.
///
/// Not below `target`: the path of a socket may have 107 bytes only.
fn boot_folder() -> Result<tempfile::TempDir> {
    const PREFIX: &str = "lab-vm-";
    let shared = std::env::temp_dir();
    super::remove_leftovers(&shared, PREFIX);
    let prefix = format!("{PREFIX}{}-", std::process::id());
    tempfile::Builder::new()
        .prefix(&prefix)
        .tempdir_in(shared)
        .context("no folder for the machine")
}

fn qemu(kernel: &Kernel, initramfs: &Path, folder: &Path) -> Result<Command> {
    // The kernel kills qemu with us, however we end.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]);
    command.arg(modules::program("qemu-system-x86_64")?);
    command.args([
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-no-reboot",
    ]);
    command.args([
        "-accel",
        "tcg,thread=multi,tb-size=512",
        "-cpu",
        "max,la57=off",
        "-smp",
        "2",
    ]);
    command.arg("-m").arg(MEMORY.to_string());
    command
        .arg("-kernel")
        .arg(&kernel.image)
        .arg("-initrd")
        .arg(initramfs);
    command.args([
        "-append",
        "console=ttyS0 loglevel=4 panic=-1 mitigations=off",
    ]);
    command.args([
        "-serial",
        &format!("file:{}", folder.join(CONSOLE_LOG).display()),
    ]);
    devices(&mut command, folder);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(folder.join(QEMU_LOG))?);
    Ok(command)
}

/// Ports, channels and shared folders.
fn devices(command: &mut Command, folder: &Path) {
    let socket = |name: &str| folder.join(name).display().to_string();
    // The second and third port, after the console: see CABLE.
    let cable = socket("cable");
    command.args([
        "-chardev",
        &format!("socket,id=cable1,path={cable},server=on,wait=off"),
    ]);
    command.args(["-chardev", &format!("socket,id=cable2,path={cable}")]);
    command.args(["-serial", "chardev:cable1", "-serial", "chardev:cable2"]);
    command.args(["-device", "virtio-serial-pci"]);
    for name in [CONTROL, OUTPUT, ERRORS] {
        command.args([
            "-chardev",
            &format!("socket,id={name},path={}", socket(name)),
        ]);
        command.args([
            "-device",
            &format!("virtserialport,chardev={name},name={name}"),
        ]);
    }
    let share = "security_model=none,multidevs=remap";
    command.args([
        "-virtfs",
        &format!("local,path=/,mount_tag=root,readonly=on,{share}"),
    ]);
    command.args([
        "-virtfs",
        &format!(
            "local,path={},mount_tag=scratch,{share}",
            scratch().display()
        ),
    ]);
}

fn accept(listener: &UnixListener, qemu: &mut Child, folder: &Path) -> Result<UnixStream> {
    listener.set_nonblocking(true)?;
    let channel = wait::for_some("qemu connects", BOOT_LIMIT, || {
        if let Some(status) = qemu.try_wait()? {
            let said = fs::read_to_string(folder.join(QEMU_LOG)).unwrap_or_default();
            bail!("qemu ended at once ({status}): {}", said.trim());
        }
        Ok(listener.accept().ok())
    })?
    .0;
    channel.set_nonblocking(false)?;
    Ok(channel)
}

fn job(options: &Options, terminal: bool) -> Result<Job> {
    let folder = std::env::current_dir().context("there is no working directory")?;
    let mut environment: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    for (_, value) in environment.iter_mut().filter(|(name, _)| name == "PATH") {
        value.push_str(":/usr/sbin:/sbin");
    }
    Ok(Job {
        argv: options.argv.clone(),
        folder: folder
            .to_str()
            .context("the working directory is not UTF-8")?
            .to_owned(),
        environment,
        terminal: terminal.then(RawTerminal::size),
    })
}

fn relay(from: UnixStream, to: impl Write + Send + 'static) -> JoinHandle<()> {
    thread::spawn(move || pump(from, to))
}

/// Copies until either side ends, at once: progress must not wait in a buffer.
///
/// Not `io::copy`: it splices, and a virtio port silently loses what is spliced into it.
fn pump(mut from: impl Read, mut to: impl Write) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let Some(bytes) = buffer.get(..count) else {
            break;
        };
        if to.write_all(bytes).and_then(|()| to.flush()).is_err() {
            break;
        }
    }
}

/// Passes key strokes on; the escape key hangs up, which ends the machine.
fn type_into(mut to: UnixStream, machine: &UnixStream) {
    let mut buffer = [0; 1024];
    while let Ok(count @ 1..) = io::stdin().read(&mut buffer) {
        let Some(bytes) = buffer.get(..count) else {
            break;
        };
        if bytes == [ESCAPE] {
            let _ = machine.shutdown(std::net::Shutdown::Both);
            break;
        }
        if to.write_all(bytes).is_err() {
            break;
        }
    }
}

/// The last words of a machine that failed, which its folder takes away.
fn console_tail(folder: &Path) -> String {
    let log = fs::read(folder.join(CONSOLE_LOG)).unwrap_or_default();
    let log = String::from_utf8_lossy(&log).into_owned();
    let lines: Vec<&str> = log.lines().collect();
    let tail = lines
        .get(lines.len().saturating_sub(CONSOLE_TAIL)..)
        .unwrap_or_default();
    format!("; its console ended with:\n{}", tail.join("\n"))
}
