//! One make of director with its real servers, and what each step of the day does to them.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

use super::{How, Site, Step};
use crate::bed::answers::{Answers, Identity};
use crate::bed::host::Host;
use crate::bed::network::Network;
use crate::bed::wait;
use crate::scenario::programs::Programs;

/// Whose director it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Make {
    /// ldirectord 4.12.
    Old,
    New,
}

/// A director and a host that is all of its real servers.
pub(super) struct Side {
    make: Make,
    sites: &'static [Site],
    director: Arc<Host>,
    farm: Arc<Host>,
    answers: Answers,
    ldird: PathBuf,
    /// The instances in the foreground.
    supervised: Mutex<Vec<Child>>,
}

const FIRST: &str = "10.10.0.21";
const SECOND: &str = "10.10.0.22";
const THIRD: &str = "10.10.0.23";
const FIRST_V6: &str = "fd00:10::21";
const SECOND_V6: &str = "fd00:10::22";
/// Never refuses: the last service of each file is there, at a port of its own.
const STEADY: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 29);
/// Answer echoes as long as the host has them.
const PINGED: &str = "10.10.0.31/24";
const PINGED_V6: &str = "fd00:10::31/64";

/// Perl under emulation needs its time.
const ROUNDS_LIMIT: Duration = Duration::from_secs(240);
const STOP_LIMIT: Duration = Duration::from_secs(120);
/// Lines of a log that are shown when something fails.
const LOG_TAIL: usize = 30;

/// What changes in the files before they are read again.
const EDITS: &[(&str, &str, &str)] = &[
    // A service goes, another comes.
    ("checks.cf", "10.20.1.11:25\n", "10.20.1.51:25\n"),
    ("checks.cf", "21:80 masq 3\n", "21:80 masq 7\n"),
    ("checks.cf", "request=\"/gone\"", "request=\"/found\""),
    (
        "tables.cf",
        "scheduler=rr\n\nvirtual=10.20.2.2:80",
        "scheduler=wrr\n\nvirtual=10.20.2.2:80",
    ),
    ("tables.cf", "\treal=10.10.0.22:80 masq 20\n", ""),
    (
        "tables.cf",
        "\tpersistent=600\n\tnetmask=255.255.255.0\n",
        "",
    ),
    (
        "tables.cf",
        "real=10.10.0.21:25 gate",
        "real=10.10.0.21:25 masq",
    ),
    ("tables.cf", "l:10 u:20", "l:1 u:30"),
    ("tables.cf", "persistent=300", "persistent=400"),
    ("habits.cf", "masq 2\n", "masq 8\n"),
    ("second.cf", "gate 5", "gate 6"),
    ("forked.cf", "10.20.5.3:119", "10.20.5.4:119"),
    ("forked.cf", "masq 6", "masq 7"),
    ("supervised.cf", "21:80 masq\n", "21:80 masq 3\n"),
];

/// Scripts that the files name. A check's last two arguments are a real server's address and port.
const SCRIPTS: &[(&str, &str)] = &[
    (
        "ask",
        "#!/bin/sh\nshift $(($# - 2))\n[ ! -e \"/etc/ha.d/down.$1\" ]\n",
    ),
    ("ask.pl", "exit(-e \"/etc/ha.d/down.$ARGV[2]\" ? 1 : 0);\n"),
    ("note", "#!/bin/sh\necho \"$@\" >> /var/log/noted\n"),
    ("changed", "#!/bin/sh\necho \"$@\" >> /var/log/changed\n"),
];

impl Side {
    /// Everything is there, and everybody answers; no director runs yet.
    pub(super) fn new(make: Make, sites: &'static [Site]) -> Result<Self> {
        let network = Network::new()?;
        network.segment("lan")?;
        let v4 = [FIRST, SECOND, THIRD].map(|address| format!("{address}/24"));
        let v6 = [FIRST_V6, SECOND_V6].map(|address| format!("{address}/64 nodad"));
        let mut addresses: Vec<String> = [v4.as_slice(), v6.as_slice()].concat();
        addresses.extend([format!("{STEADY}/24"), PINGED.to_owned()]);
        addresses.push(format!("{PINGED_V6} nodad"));
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let farm = Arc::new(network.host("farm").nic("lan", &addresses).power_on()?);
        let director = network
            .host("lb1")
            .nic("lan", &["10.10.0.1/24", "fd00:10::1/64 nodad"])
            .power_on()?;
        let answers = answers(&farm)?;
        let side = Self {
            make,
            sites,
            director: Arc::new(director),
            farm,
            answers,
            ldird: Programs::find()?.path("ldird"),
            supervised: Mutex::default(),
        };
        side.install()?;
        for address in [FIRST, SECOND, THIRD, FIRST_V6, SECOND_V6] {
            side.answers.answer(address.parse()?)?;
        }
        side.answers.answer(IpAddr::V4(STEADY))?;
        Ok(side)
    }

    pub(super) fn director(&self) -> &Host {
        &self.director
    }

    /// Does a step, and returns when every service was asked after it as often as it can matter.
    pub(super) fn take(&self, step: Step) -> Result<()> {
        if step == Step::Stop {
            return self.stop();
        }
        match step {
            Step::Up => self.start()?,
            Step::OneDown => self.refuse(&[SECOND, SECOND_V6])?,
            Step::Maintenance => fs::write(self.etc("maintenance").join(THIRD), "")?,
            Step::AllDown => {
                self.refuse(&[FIRST, THIRD, FIRST_V6])?;
                for address in [PINGED, PINGED_V6] {
                    self.farm
                        .run(&["ip", "address", "del", address, "dev", "eth0"])?;
                }
            }
            Step::Back => {
                fs::remove_file(self.etc("maintenance").join(THIRD))?;
                for address in [PINGED, PINGED_V6] {
                    let line = format!("ip address add {address} dev eth0 nodad");
                    self.farm.sh(&line)?;
                }
                for address in [FIRST, SECOND, THIRD, FIRST_V6, SECOND_V6] {
                    fs::remove_file(self.etc(&format!("down.{address}")))?;
                    self.answers.answer(address.parse()?)?;
                }
            }
            Step::Reload => self.reload()?,
            Step::Stop => {}
        }
        self.await_rounds(step)
    }

    /// The end of each log.
    pub(super) fn last_words(&self) -> String {
        let logs = self.director.folder().join("log");
        let mut words = String::new();
        for entry in fs::read_dir(logs).into_iter().flatten().flatten() {
            let text = fs::read(entry.path()).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let lines: Vec<&str> = text.lines().collect();
            let from = lines.len().saturating_sub(LOG_TAIL);
            let tail = lines.get(from..).unwrap_or_default().join("\n");
            let _ = writeln!(words, "{}:\n{tail}", entry.path().display());
        }
        words
    }

    fn etc(&self, name: &str) -> PathBuf {
        self.director.folder().join("etc").join(name)
    }

    fn install(&self) -> Result<()> {
        // Reverse names are looked up before each check where there is a maintenancedir: nobody answers
        // here, and without a name server that is known at once.
        self.director
            .sh("mount --bind /dev/null /etc/resolv.conf")?;
        fs::create_dir_all(self.etc("maintenance"))?;
        for site in self.sites {
            fs::write(self.etc(site.name), site.text)?;
        }
        for (name, text) in SCRIPTS {
            fs::write(self.etc(name), text)?;
            fs::set_permissions(self.etc(name), fs::Permissions::from_mode(0o755))?;
        }
        let trusted = self.farm.folder().join("srv/trusted.pem");
        fs::copy(trusted, self.etc("trusted.pem"))?;
        Ok(())
    }

    fn command(&self, file: &str, verb: &str) -> Result<Command> {
        let mut command = match self.make {
            Make::Old => self.director.command("/usr/sbin/ldirectord")?,
            Make::New => self.director.command(&self.ldird)?,
        };
        // What the old one's checks within TLS trust (section 2.8).
        for name in ["PERL_LWP_SSL_CA_FILE", "SSL_CERT_FILE"] {
            command.env(name, "/etc/ha.d/trusted.pem");
        }
        command.arg(format!("/etc/ha.d/{file}")).arg(verb);
        command.stdin(Stdio::null());
        Ok(command)
    }

    /// The files that are started in one of these ways.
    fn files(&self, ways: &[How]) -> Vec<&'static str> {
        let sites = self.sites.iter();
        let chosen = sites.filter(|site| ways.contains(&site.how));
        chosen.map(|site| site.name).collect()
    }

    /// Says it to each daemon, at once.
    fn tell_daemons(&self, verb: &str) -> Result<()> {
        let files = self.files(&[How::Daemon, How::Forked]);
        thread::scope(|scope| {
            let told = files.iter().map(|file| {
                scope.spawn(move || {
                    let output = self.command(file, verb)?.output()?;
                    let said = String::from_utf8_lossy(&output.stderr);
                    let good = output.status.success();
                    ensure!(good, "{:?} {file} {verb}: {said}", self.make);
                    Ok(())
                })
            });
            let told: Vec<_> = told.collect();
            told.into_iter().try_for_each(|thread| {
                let ended = thread.join();
                ended.unwrap_or_else(|_| Err(anyhow!("panicked, see above")))
            })
        })
    }

    /// A signal for those in the foreground, which have no pid file.
    fn signal_supervised(&self, signal: &str) -> Result<()> {
        for file in self.files(&[How::Supervised]) {
            // The brackets keep the shell's own words from being found.
            let line = format!("pkill -{signal} -f '[/]etc/ha.d/{file}'");
            self.director.sh(&line)?;
        }
        Ok(())
    }

    fn start(&self) -> Result<()> {
        for file in self.files(&[How::Supervised]) {
            let log = File::create(self.director.folder().join("log").join(file))?;
            let child = self
                .command(file, "start")?
                .stdout(log.try_clone()?)
                .stderr(log)
                .spawn()?;
            self.lock().push(child);
        }
        self.tell_daemons("start")
    }

    /// `habits.cf` is read again because it has changed, and has `second.cf` read again.
    fn reload(&self) -> Result<()> {
        for site in self.sites {
            let mut text = site.text.to_owned();
            for (_, from, to) in EDITS.iter().filter(|(file, ..)| *file == site.name) {
                let times = text.matches(from).count();
                ensure!(times == 1, "{} has {from:?} {times} times", site.name);
                text = text.replace(from, to);
            }
            fs::write(self.etc(site.name), text)?;
        }
        self.signal_supervised("HUP")?;
        self.tell_daemons("reload")
    }

    fn stop(&self) -> Result<()> {
        self.signal_supervised("TERM")?;
        self.tell_daemons("stop")?;
        let name = match self.make {
            Make::Old => "ldirectord",
            Make::New => "ldird",
        };
        wait::until("every director ends", STOP_LIMIT, || {
            self.director.processes(name).is_empty()
        })?;
        for mut child in self.lock().drain(..) {
            child.wait()?;
        }
        Ok(())
    }

    fn refuse(&self, addresses: &[&str]) -> Result<()> {
        for address in addresses {
            fs::write(self.etc(&format!("down.{address}")), "")?;
            self.answers.refuse(address.parse()?)?;
        }
        Ok(())
    }

    /// The old one asks one after the other, the steady service of each file last: when that was asked
    /// twice, all others were asked after the step. More often where failures are counted. With `fork=yes`
    /// and in ldird each service is asked at its own pace, the steady one of `forked.cf` at half of theirs:
    /// the slowest refusal, of imap after the old one's second try, lasts 5 s.
    fn await_rounds(&self, step: Step) -> Result<()> {
        let asked = |site: &Site| self.answers.asked(SocketAddr::from((STEADY, site.steady)));
        let goals = self.sites.iter().map(|site| {
            let more = match (self.make, site.how) {
                (Make::Old, How::Forked) => 4,
                (Make::New, _) => 1,
                (Make::Old, _) => 0,
            };
            // A reload begins after the round that is under way.
            let more = more + u64::from(step == Step::Reload);
            (site, asked(site) + 1 + site.failures + more)
        });
        for (site, goal) in goals.collect::<Vec<_>>() {
            let what = format!("{:?}: {step}: rounds of {}", self.make, site.name);
            wait::until(&what, ROUNDS_LIMIT, || asked(site) >= goal).with_context(|| {
                let words = self.last_words();
                format!("{} of {goal}; it said\n{words}", asked(site))
            })?;
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Child>> {
        self.supervised
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        let _ = self.director.power_off();
        for mut child in self.lock().drain(..) {
            let _ = child.wait();
        }
    }
}

/// With a certificate that the old director will trust, and one that nobody trusts.
fn answers(farm: &Arc<Host>) -> Result<Answers> {
    let folder = farm.folder().join("srv");
    for name in ["trusted", "strange"] {
        farm.sh(&format!(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
             -subj /CN={name} -addext subjectAltName=IP:{FIRST},IP:{SECOND} \
             -keyout /srv/{name}.key -out /srv/{name}.pem 2>/dev/null"
        ))?;
    }
    let files = ["trusted", "strange"].map(|name| {
        let certificate = folder.join(format!("{name}.pem"));
        (certificate, folder.join(format!("{name}.key")))
    });
    let identities = files
        .each_ref()
        .map(|(certificate, key)| Identity { certificate, key });
    Answers::start(Arc::clone(farm), identities)
}
