//! The checks of mail, news, files and lines against real servers of Debian, over both families: up
//! with the right login, down with a wrong one and when the server has stopped.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::ownership::figure;
use super::{Case, Place};
use crate::bed::host::Host;
use crate::bed::network::Network;
use crate::bed::talkers::{PASSWORD, Talker, Talking};
use crate::scenario::programs::Programs;

pub(super) const CASES: &[Case] = &[
    case("exim_is_found_up_by_smtp_and_submission", mail),
    case(
        "dovecot_is_found_up_by_pop_and_pops_with_the_right_login",
        pop,
    ),
    case(
        "dovecot_is_found_up_by_imap_and_imaps_with_the_right_login",
        imap,
    ),
    case("inn_is_found_up_by_nntp", news),
    case(
        "vsftpd_is_found_up_by_ftp_with_the_right_login_and_file",
        files,
    ),
    case("inn_is_found_up_by_simpletcp", lines),
];

const fn case(name: &'static str, run: fn() -> Result<()>) -> Case {
    Case {
        name,
        place: Place::Here,
        run,
    }
}

const CF: &str = "talk.cf";
const V4: &str = "10.10.0.11";
const V6: &str = "fd00:10::11";

/// One question, asked over both families.
struct Row {
    service: &'static str,
    port: u16,
    /// Directives of the section, with a semicolon between two.
    lines: String,
    up: bool,
    /// Part of the result.
    says: &'static str,
}

fn row(service: &'static str, port: u16, lines: &str, up: bool, says: &'static str) -> Row {
    Row {
        service,
        port,
        lines: lines.to_owned(),
        up,
        says,
    }
}

/// A director that looks, and the host of the servers.
struct Desk {
    director: Host,
    server: Arc<Host>,
    programs: Programs,
}

impl Desk {
    fn new() -> Result<Self> {
        let network = Network::new()?;
        network.segment("lan")?;
        let server = network
            .host("real")
            .nic("lan", &[&format!("{V4}/24"), &format!("{V6}/64 nodad")])
            .power_on()?;
        let director = network
            .host("lb1")
            .nic("lan", &["10.10.0.1/24", "fd00:10::1/64 nodad"])
            .power_on()?;
        Ok(Self {
            director,
            server: Arc::new(server),
            programs: Programs::find()?,
        })
    }

    /// What `ldird plan` finds, by virtual service.
    fn verdicts(&self, text: &str) -> Result<BTreeMap<String, String>> {
        fs::write(self.director.folder().join("etc").join(CF), text)?;
        let said = self.director.run(&[
            self.programs
                .path("ldird")
                .to_str()
                .context("a plain path")?,
            CF,
            "plan",
        ])?;
        // `tcp:10.10.0.100:25 10.10.0.11:25: up, 220 mail.lab (negotiate smtp)`.
        let lines = said.lines().filter_map(|line| {
            let (virtual_service, rest) = line.split_once(' ')?;
            let (_, verdict) = rest.split_once(": ")?;
            let known = virtual_service.starts_with("tcp:");
            known.then(|| (virtual_service.to_owned(), verdict.to_owned()))
        });
        Ok(lines.collect())
    }

    /// Asks all rows at once, of both families.
    fn judge(&self, rows: &[Row]) -> Result<()> {
        let mut text = "negotiatetimeout=10\n".to_owned();
        let mut expected = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            let port = row.port;
            let lines = row.lines.replace(';', "\n\t");
            // A virtual service of its own for each row.
            let own = 2000 + at;
            for (six, vip, real) in [("", "10.10.0.100", V4), ("6", "[fd00:10::100]", V6)] {
                let real = if six.is_empty() {
                    real.to_owned()
                } else {
                    format!("[{real}]")
                };
                write!(
                    text,
                    "virtual{six}={vip}:{own}\n\treal{six}={real}:{port} gate\n\tservice={}\n\t{lines}\n",
                    row.service
                )?;
                expected.push((format!("tcp:{vip}:{own}"), row));
            }
        }
        let start = Instant::now();
        let found = self.verdicts(&text)?;
        figure("all questions of a plan", start.elapsed());
        for (virtual_service, row) in expected {
            let verdict = found.get(&virtual_service);
            let verdict = verdict.with_context(|| format!("no {virtual_service} in {found:?}"))?;
            let health = if row.up { "up, " } else { "down, " };
            ensure!(
                verdict.starts_with(health) && verdict.contains(row.says),
                "{} with {:?} over {virtual_service}: {verdict}",
                row.service,
                row.lines
            );
        }
        Ok(())
    }

    /// The rows while the server runs, and all down when it has stopped.
    fn judge_living_and_dead(&self, talker: Talker, mut rows: Vec<Row>) -> Result<()> {
        let mut talking = Talking::start(Arc::clone(&self.server), talker)?;
        self.judge(&rows)?;
        talking.stop()?;
        for row in &mut rows {
            (row.up, row.says) = (false, "connection refused");
        }
        self.judge(&rows)
    }
}

fn login(password: &str) -> String {
    format!("login=\"check\";passwd=\"{password}\"")
}

fn mail() -> Result<()> {
    let rows = vec![
        row("smtp", 25, "", true, "220 mail.lab ESMTP Exim"),
        row(
            "submission",
            587,
            "checktype=2",
            true,
            "220 mail.lab ESMTP Exim",
        ),
    ];
    Desk::new()?.judge_living_and_dead(Talker::Exim, rows)
}

fn pop() -> Result<()> {
    let mut rows = Vec::new();
    for (service, port) in [("pop", 110), ("pops", 995)] {
        rows.push(row(service, port, "", true, "+OK Dovecot"));
        rows.push(row(service, port, &login(PASSWORD), true, "+OK Logged in"));
        rows.push(row(service, port, &login("wrong"), false, "PASS: -ERR"));
    }
    // Not what is spoken there.
    rows.push(row("pops", 110, "", false, "no TLS"));
    rows.push(row("pop", 143, "", false, "* OK"));
    Desk::new()?.judge_living_and_dead(Talker::Dovecot, rows)
}

fn imap() -> Result<()> {
    let mut rows = Vec::new();
    for (service, port) in [("imap", 143), ("imaps", 993)] {
        rows.push(row(service, port, "", true, "* OK [CAPABILITY"));
        rows.push(row(service, port, &login(PASSWORD), true, "OK [CAPABILITY"));
        rows.push(row(service, port, &login("wrong"), false, "LOGIN: NO"));
    }
    rows.push(row("imaps", 993, "virtualhost=mail.lab", true, "* OK"));
    rows.push(row("imap", 110, "", false, "+OK"));
    Desk::new()?.judge_living_and_dead(Talker::Dovecot, rows)
}

fn news() -> Result<()> {
    let rows = vec![row("nntp", 119, "", true, "200 news.lab InterNetNews")];
    Desk::new()?.judge_living_and_dead(Talker::Nnrpd, rows)
}

fn files() -> Result<()> {
    let known = format!("login=\"anonymous\";passwd=\"{PASSWORD}\"");
    let unknown = "login=\"anonymous\";passwd=\"wrong\"";
    let file = |login: &str, receive| format!("{login};request=\"welcome\";receive=\"{receive}\"");
    let rows = vec![
        row("ftp", 21, &known, true, "230"),
        row("ftp", 21, &file(&known, "to the lab"), true, "19 bytes"),
        row(
            "ftp",
            21,
            &file(&known, "elsewhere"),
            false,
            "Welcome to the lab",
        ),
        row(
            "ftp",
            21,
            &file(&known, "x").replace("welcome", "nothing"),
            false,
            "550",
        ),
        row("ftp", 21, unknown, false, "login: 530"),
        row("ftp", 21, &file(unknown, "to the lab"), false, "login: 530"),
        row("ftp", 21, "", false, "login: 530"),
    ];
    Desk::new()?.judge_living_and_dead(Talker::Vsftpd, rows)
}

/// A list of groups, asked for by hand.
fn lines() -> Result<()> {
    let ask = |receive| format!("request=\"LIST ACTIVE\\r\\nQUIT\\r\\n\";receive=\"{receive}\"");
    let rows = vec![
        row("simpletcp", 119, &ask("^local[.]test "), true, "local.test"),
        row(
            "simpletcp",
            119,
            &ask("Nope"),
            false,
            "no line matches \"Nope\": 205",
        ),
    ];
    Desk::new()?.judge_living_and_dead(Talker::Nnrpd, rows)
}
