//! What is done beside the table, with real commands: rows C17, C18, C20, C21 of the specification's
//! section 8.5 and L4, L8, L13, L14 of 8.6.

use super::{Bed, LIMIT, all_serve, connect_config, listener, on, wait_for};
use crate::config::{Configuration, Names};
use crate::driver::{Driver, End, Event, Program};
use crate::mail::Office;
use ha_plumbing::signals::Signal;
use ha_status::socket::Client;
use ha_status::{Action, Health, Reply, Word};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

impl Bed {
    /// A shell script; `LOG` is a file beside it.
    fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        let log = self.log(name).display().to_string();
        let text = text.replace("LOG", &log);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.log"))
    }

    /// A script that writes down each call.
    fn writer(&self, name: &str) -> PathBuf {
        self.script(name, "echo \"$@\" >> LOG")
    }

    /// Waits until a file is as expected.
    async fn reads(&self, name: &str, wanted: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let text = fs::read_to_string(self.log(name)).unwrap_or_default();
            if wanted(&text) {
                return text;
            }
            assert!(begun.elapsed() < LIMIT, "{name}: {text}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn says(&self, name: &str, lines: &[&str]) {
        self.reads(name, |text| text.lines().eq(lines.iter().copied()))
            .await;
    }
}

async fn act(client: &mut Client, action: Action) {
    let reply = super::act(client, action).await;
    assert!(matches!(reply, Reply::Done { .. }), "{reply:?}");
}

async fn stop(client: &mut Client) {
    act(client, Action::Stop).await;
}

async fn reload(client: &mut Client) {
    act(client, Action::Reload { force: true }).await;
}

/// D.8 without the flap of a start.
#[tokio::test]
async fn l14_the_fallbackcommand_is_called_when_somebody_serves_again_and_when_nobody_does() {
    let bed = Bed::new();
    let command = bed.writer("fall");
    for (option, last) in [("", None), ("fallbackcommandstop=yes\n", Some("stop"))] {
        let (real, address) = listener().await;
        let command = format!("fallbackcommand={} -x\n", command.display());
        bed.write(&format!("{command}{option}{}", connect_config(&[address])));
        let place = "10.0.0.100:80 tcp";
        let line = |word: &str| format!("-x {word} {place}");
        bed.direct(async |mut client: Client| {
            bed.says("fall", &[&line("stop")]).await;
            drop(real);
            bed.says("fall", &[&line("stop"), &line("start")]).await;
            reload(&mut client).await;
            let back = tokio::net::TcpListener::bind(address).await.unwrap();
            bed.says("fall", &[&line("stop"), &line("start"), &line("stop")])
                .await;
            drop(back);
            bed.reads("fall", |text| text.lines().count() == 4).await;
            stop(&mut client).await;
        })
        .await;
        let text = fs::read_to_string(bed.log("fall")).unwrap();
        let after = text.lines().nth(4).map(str::to_owned);
        assert_eq!(after, last.map(line), "L14");
        fs::remove_file(bed.log("fall")).unwrap();
    }
}

/// Operators and the end of a panic change who serves as well as checks do.
#[tokio::test]
async fn the_fallbackcommand_hears_of_operators_and_of_a_panic_that_ends_with_everybody_dead() {
    let bed = Bed::new();
    let (first, one) = listener().await;
    let (second, two) = listener().await;
    let command = bed.writer("fall").display().to_string();
    let text = format!(
        "fallbackcommand={command}\npanicthreshold=50\npanictime=1\n{}",
        connect_config(&[one, two])
    );
    bed.write(&text);
    let (start, stop_line) = ("start 10.0.0.100:80 tcp", "stop 10.0.0.100:80 tcp");
    let word = |word, for_s| Action::Overrule {
        service: "all".to_owned(),
        real: "127.0.0.1".to_owned(),
        word,
        for_s,
        why: String::new(),
        force: true,
    };
    bed.direct(async |mut client: Client| {
        let mut lines = vec![stop_line];
        bed.says("fall", &lines).await;
        act(&mut client, word(Word::Drain, None)).await;
        lines.push(start);
        bed.says("fall", &lines).await;
        act(&mut client, word(Word::Undrain, None)).await;
        lines.push(stop_line);
        bed.says("fall", &lines).await;
        act(&mut client, word(Word::Drain, Some(1))).await;
        lines.extend([start, stop_line]);
        bed.says("fall", &lines).await;
        drop((first, second));
        wait_for(&mut client, |now| {
            let told = |text: &str| now.recent.iter().any(|one| one.text.contains(text));
            told("anic")
        })
        .await;
        bed.reads("fall", |text| text.lines().last() == Some(start))
            .await;
        stop(&mut client).await;
    })
    .await;
}

/// L13 is better here, and a section's own command counts.
#[tokio::test]
async fn l13_a_fallbackcommand_is_told_of_marks_and_of_addresses_in_brackets() {
    let bed = Bed::new();
    let (one, two) = (bed.writer("one"), bed.writer("two"));
    let text = format!(
        "fallbackcommand={}\nvirtual=7\n\tchecktype=on\n\treal=10.0.0.1 gate\n\n\
         virtual6=[2001:db8::1]:80\n\tchecktype=on\n\treal6=[2001:db8::2]:80 gate 0\n\
         \tfallbackcommand=\"{} 'a b'\"\n",
        one.display(),
        two.display()
    );
    bed.write(&text);
    bed.direct(async |mut client: Client| {
        bed.says("one", &["stop fwm:7 fwm"]).await;
        bed.says("two", &["a b start [2001:db8::1]:80 tcp"]).await;
        stop(&mut client).await;
    })
    .await;
}

#[tokio::test]
async fn a_fallbackcommand_that_hangs_or_is_missing_holds_nothing_up() {
    let bed = Bed::new();
    let hangs = bed.script("hangs", "echo $$ > LOG; exec sleep 600");
    let (first, first_address) = listener().await;
    let (_second, second_address) = listener().await;
    let section = |address, command: &str| {
        format!(
            "{}\tfallbackcommand={command}\n\n",
            connect_config(&[address]).replace("checkinterval=1\n", "")
        )
    };
    let text = format!(
        "checkinterval=1\n{}{}",
        section(first_address, hangs.to_str().unwrap()),
        section(second_address, "/nowhere/command").replace(".100:", ".101:")
    );
    bed.write(&text);
    let begun = Instant::now();
    let end = bed
        .direct(async |mut client: Client| {
            let failed = "system(/nowhere/command stop 10.0.0.101:80 tcp) failed: exit status 127";
            wait_for(&mut client, |now| {
                let mut told = now.recent.iter().map(|notice| notice.text.as_str());
                told.any(|text| text == failed)
            })
            .await;
            bed.reads("hangs", |text| !text.is_empty()).await;
            drop(first);
            wait_for(&mut client, |now| {
                super::health(now) == [Health::Down, Health::Up]
            })
            .await;
            stop(&mut client).await;
        })
        .await;
    assert_eq!(end, End::Stopped("TERM"));
    assert!(begun.elapsed() < LIMIT / 2, "{:?}", begun.elapsed());
    let pid = fs::read_to_string(bed.log("hangs")).unwrap();
    let begun = Instant::now();
    while Path::new(&format!("/proc/{}/exe", pid.trim())).exists() {
        assert!(begun.elapsed() < LIMIT, "it outlives the director");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// C17 and C18.
#[tokio::test]
async fn c17_c18_the_callback_hears_of_a_changed_file_that_is_in_order() {
    let bed = Bed::new();
    let callback = bed.writer("callback");
    let file = bed.instance().path.display().to_string();
    for autoreload in ["yes", "no"] {
        let head = format!(
            "autoreload={autoreload}\ncallback=\"{} -x\"\n",
            callback.display()
        );
        bed.write(&(head.clone() + &on(1)));
        bed.direct(async |mut client: Client| {
            all_serve(&mut client, 1).await;
            bed.write(&(head.clone() + "nosuch=1\n" + &on(1)));
            wait_for(&mut client, |now| {
                let errors = ["Reload refused", "The changed file is not in order"];
                let mut told = now.recent.iter().map(|notice| notice.text.as_str());
                told.any(|text| errors.iter().any(|error| text.starts_with(error)))
            })
            .await;
            assert!(!bed.log("callback").exists(), "nobody copies a broken file");
            bed.write(&(head.clone() + &on(1) + &on(2)));
            bed.says("callback", &[&format!("-x {file}")]).await;
            let services = if autoreload == "yes" { 2 } else { 1 };
            all_serve(&mut client, services).await;
            stop(&mut client).await;
        })
        .await;
        fs::remove_file(bed.log("callback")).unwrap();
    }
}

/// C20.
#[tokio::test]
async fn c20_a_callback_that_cannot_be_executed_is_no_error() {
    let bed = Bed::new();
    let head = "autoreload=yes\ncallback=\"/nowhere/callback\"\n";
    bed.write(&(head.to_owned() + &on(1)));
    bed.direct(async |mut client: Client| {
        all_serve(&mut client, 1).await;
        bed.write(&(head.to_owned() + &on(1) + &on(2)));
        let snapshot = wait_for(&mut client, |now| {
            let mut told = now.recent.iter().map(|notice| notice.text.as_str());
            told.any(|text| text.starts_with("The callback is not run: /nowhere/callback"))
        })
        .await;
        let severe = |notice: &ha_status::Notice| notice.severity >= ha_status::Severity::Warning;
        assert!(!snapshot.recent.iter().any(severe), "{:?}", snapshot.recent);
        stop(&mut client).await;
    })
    .await;
}

/// C21; the directors of other configurations are stood in for by a script.
#[tokio::test]
async fn c21_the_directors_of_other_configurations_live_and_die_with_this_one() {
    let mut bed = Bed::new();
    bed.program = Program {
        path: bed.script(
            "ldird",
            "echo \"$@\" >> LOG; case \"$*\" in *d.cf\\ reload) exit 1;; esac",
        ),
        options: ["--etc".into(), "/x".into()].to_vec(),
    };
    let text = |names: &[&str]| {
        let names = names.iter().map(|name| format!("execute={name}\n"));
        names.collect::<String>() + &on(1)
    };
    bed.write(&text(&["b.cf", "x.cf", "d.cf", "b.cf"]));
    bed.direct(async |mut client: Client| {
        let mut said = vec!["--etc /x b.cf start", "--etc /x d.cf start"];
        bed.says("ldird", &said).await;
        bed.write(&text(&["c.cf", "d.cf"]));
        reload(&mut client).await;
        said.extend(["--etc /x b.cf stop", "--etc /x c.cf start"]);
        said.extend(["--etc /x d.cf reload", "--etc /x d.cf start"]);
        bed.says("ldird", &said).await;
        stop(&mut client).await;
        said.extend(["--etc /x c.cf stop", "--etc /x d.cf stop"]);
        bed.says("ldird", &said).await;
    })
    .await;
}

/// L10 with a real check.
#[tokio::test]
async fn every_answer_of_a_check_stands_in_the_monitor_file() {
    let bed = Bed::new();
    let (real, address) = listener().await;
    let file = bed.log("monitor");
    let text = format!(
        "{}\tmonitorfile=\"{}\"\n",
        connect_config(&[address]),
        file.display()
    );
    bed.write(&text);
    let id = format!("connect tcp 127.0.0.1 {} 1 masq / ", address.port());
    bed.direct(async |mut client: Client| {
        bed.reads("monitor", |text| {
            text.matches(&format!("{id} [up] ")).count() >= 2
        })
        .await;
        drop(real);
        bed.reads("monitor", |text| {
            text.contains(&format!("{id} [down] connection refused\n"))
        })
        .await;
        stop(&mut client).await;
    })
    .await;
}

/// C16.
#[tokio::test]
async fn c16_a_hangup_is_a_reload_and_no_callback() {
    let bed = Bed::new();
    let callback = bed.writer("callback");
    bed.write(&format!("callback=\"{}\"\n{}", callback.display(), on(1)));
    let parts = bed.parts(Names::new()).await;
    let mut driver = Driver::new(parts, |_: &Configuration| {});
    let life = async {
        driver.begin().await;
        while driver.ready.is_some() {
            let event = driver.next().await;
            driver.handle(event);
        }
        bed.write(&format!(
            "callback=\"{}\"\n{}{}",
            callback.display(),
            on(1),
            on(2)
        ));
        // Not as a signal, which every director of these tests would hear.
        driver.handle(Event::Signal(Signal::Hangup));
        while super::keys(&bed).len() < 2 {
            let event = driver.next().await;
            driver.handle(event);
        }
    };
    tokio::time::timeout(LIMIT, life).await.unwrap();
    let snapshot = driver.snapshot();
    let line = "Reloading Linux Director Daemon config on signal";
    assert!(snapshot.recent.iter().any(|notice| notice.text == line));
    assert!(!bed.log("callback").exists());
    driver.ledger.settle().await;
    driver.view.control.close().await;
}

fn mailed(bed: &Bed, text: &str) -> Office {
    Office {
        sendmails: vec![bed.script("sendmail", text)],
        ..Office::here()
    }
}

/// L9, and that a start says once who is down.
#[tokio::test]
async fn l9_mail_tells_of_a_server_that_goes_and_of_none_at_a_start() {
    let mut bed = Bed::new();
    bed.office = mailed(&bed, "cat >> LOG");
    let (real, address) = listener().await;
    let (_other, other) = listener().await;
    let mail = "emailalert=root,admin@example.com\nemailalertstatus=running,stopping\n";
    bed.write(&format!(
        "{mail}{}\tservicename=Web\n",
        connect_config(&[address, other])
    ));
    bed.direct(async |mut client: Client| {
        all_serve(&mut client, 1).await;
        // The start counts as over a second after everybody has been asked.
        let checks = wait_for(&mut client, |_| true).await.totals.checks;
        wait_for(&mut client, |now| now.totals.checks > checks + 4).await;
        drop(real);
        let text = bed
            .reads("sendmail", |text| {
                text.contains("Comment") || !text.is_empty()
            })
            .await;
        let told = format!("[Web] Deleted real server: {address} (10.0.0.100:80)");
        assert!(text.contains(&format!("\nLog-Message: {told}\n")), "{text}");
        assert!(!text.contains("Added real server"), "{text}");
        assert!(text.contains("\nTo: root,admin@example.com\n"), "{text}");
        stop(&mut client).await;
    })
    .await;
    let text = fs::read_to_string(bed.log("sendmail")).unwrap();
    let last = format!("Purged real server (stop): {other} (10.0.0.100:80)");
    assert!(
        text.contains(&last) && text.contains("Daemon-Status: stopping"),
        "{text}"
    );
}

#[tokio::test]
async fn a_mailer_that_hangs_costs_nothing_but_its_mails() {
    let mut bed = Bed::new();
    bed.office = mailed(&bed, "echo $$ > LOG; exec sleep 600");
    let (_real, address) = listener().await;
    bed.write(&format!("emailalert=root\n{}", connect_config(&[address])));
    let begun = Instant::now();
    bed.direct(async |mut client: Client| {
        bed.reads("sendmail", |text| !text.is_empty()).await;
        let checks = wait_for(&mut client, |_| true).await.totals.checks;
        wait_for(&mut client, |now| now.totals.checks > checks + 1).await;
        stop(&mut client).await;
    })
    .await;
    assert!(begun.elapsed() < LIMIT / 2, "{:?}", begun.elapsed());
}
