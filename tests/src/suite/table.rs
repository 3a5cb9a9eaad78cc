//! The kernel's table as ldirectord.cf words it, and as the ipvsadm resource loads it.

use std::fs;

use anyhow::{Result, ensure};

use super::balancing::{CF, Farm, LIMIT};
use super::{Case, Place};
use crate::bed::host::Host;
use crate::bed::wait;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "every_word_of_the_file_about_ipvs_reaches_the_kernel",
        place: Place::Kernel,
        run: every_word,
    },
    Case {
        name: "with_enforce_what_ipvsadm_changes_is_put_back_and_the_kernels_own_ways_are_no_fight",
        place: Place::Kernel,
        run: enforce,
    },
    Case {
        name: "the_ipvsadm_resource_needs_no_ipvsadm_and_a_wrong_line_changes_nothing",
        place: Place::Kernel,
        run: resource,
    },
];

/// Sections and the lines that ipvsadm must save of them.
const SECTIONS: &[(&str, &str)] = &[
    (
        "virtual=10.10.0.101:80\n\treal=10.10.0.20 ipip 3\n\treal=10.10.0.21:80 gate\n\ttunnel=gue 6080 csum\n\
         \tscheduler=mh\n\tschedflags=mh-fallback,mh-port\n\tpersistent=600\n\tnetmask=255.255.255.0\n",
        "-A -t 10.10.0.101:80 -s mh -p 600 -M 255.255.255.0 -b mh-fallback,mh-port\n\
         -a -t 10.10.0.101:80 -r 10.10.0.20:80 -i -w 3 --tun-type gue --tun-port 6080 --tun-csum\n\
         -a -t 10.10.0.101:80 -r 10.10.0.21:80 -g -w 1\n",
    ),
    (
        "virtual=10.10.0.101:5060\n\treal=10.10.0.20:5060 masq l:5 u:10\n\tprotocol=udp\n\tscheduler=ovf\n\
         \tpersistent=60\n\tpe=sip\n\tops=yes\n",
        "-A -u 10.10.0.101:5060 -s ovf -p 60 --pe sip -o\n\
         -a -u 10.10.0.101:5060 -r 10.10.0.20:5060 -m -w 1\n",
    ),
    (
        "virtual=10.10.0.101:2905\n\treal=10.10.0.20:2905 masq 0\n\tprotocol=sctp\n\tscheduler=lblcr\n",
        "-A --sctp-service 10.10.0.101:2905 -s lblcr\n\
         -a --sctp-service 10.10.0.101:2905 -r 10.10.0.20:2905 -m -w 0\n",
    ),
    (
        "virtual=9\n\treal=10.10.0.20 gate\n\tprotocol=fwm\n\tscheduler=sh\n\tschedflags=sh-port\n",
        "-A -f 9 -s sh -b sh-port\n-a -f 9 -r 10.10.0.20:0 -g -w 1\n",
    ),
    (
        "virtual6=9\n\treal6=[2001:db8:1::20] gate\n\tprotocol=fwm\n\tscheduler=nq\n",
        "-A -f 9 -6 -s nq\n-a -f 9 -6 -r [2001:db8:1::20]:0 -g -w 1\n",
    ),
    (
        "virtual6=[2001:db8::80]:80\n\treal6=[2001:db8:1::20]:80 masq\n\treal=10.10.0.20 ipip\n\
         \tscheduler=dh\n\tpersistent=9\n\tnetmask=64\n",
        "-A -t [2001:db8::80]:80 -s dh -p 9 -M 64\n\
         -a -t [2001:db8::80]:80 -r 10.10.0.20:80 -i -w 1 --tun-type ipip\n\
         -a -t [2001:db8::80]:80 -r [2001:db8:1::20]:80 -m -w 1\n",
    ),
    (
        "virtual=10.10.0.101:81\n\treal6=[2001:db8:1::20] ipip\n\ttunnel=gre\n\tscheduler=fo\n",
        "-A -t 10.10.0.101:81 -s fo\n\
         -a -t 10.10.0.101:81 -r [2001:db8:1::20]:81 -i -w 1 --tun-type gre --tun-nocsum\n",
    ),
];

fn every_word() -> Result<()> {
    let sections: Vec<String> = SECTIONS
        .iter()
        .map(|(section, _)| format!("{section}\tchecktype=on\n\n"))
        .collect();
    let globals = "tcptimeout=7200\ntcpfintimeout=33\nudptimeout=44\n";
    let farm = Farm::new(&format!("{globals}{}", sections.concat()))?;
    let (director, host) = (&farm.director, farm.host());
    farm.start()?;
    let saved = host.sh("ipvsadm -Sn")?;
    for (section, lines) in SECTIONS {
        ensure!(
            saved.contains(lines),
            "{section}\nis not\n{lines}in\n{saved}"
        );
    }
    let limits = host.sh("ipvsadm -Ln --thresholds")?;
    let limited = limits.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.starts_with(&["->", "10.10.0.20:5060", "10", "5"])
    });
    ensure!(limited, "no thresholds in\n{limits}");
    let ours = director.program("ldird", &["ipvs", "save"])?;
    ensure!(ours == saved, "ldird saves\n{ours}and ipvsadm\n{saved}");
    let timeouts = || host.sh("ipvsadm -L --timeout");
    ensure!(timeouts()?.contains(": 7200 33 44"), "{}", timeouts()?);

    // Words that go take what they set with them; without time-outs the kernel's stay.
    let plain = sections
        .concat()
        .replace("\tpe=sip\n", "")
        .replace("\ttunnel=gre\n", "");
    farm.configure(&plain)?;
    director.program("ldird", &[CF, "reload"])?;
    let saved = host.sh("ipvsadm -Sn")?;
    for line in [
        "-A -u 10.10.0.101:5060 -s ovf -p 60 -o\n",
        "-a -t 10.10.0.101:81 -r [2001:db8:1::20]:81 -i -w 1 --tun-type ipip\n",
    ] {
        ensure!(saved.contains(line), "no {line} in\n{saved}");
    }
    farm.configure(&format!("udptimeout=300\n{plain}"))?;
    director.program("ldird", &[CF, "reload"])?;
    wait::until("the new time-out", LIMIT, || {
        timeouts().is_ok_and(|told| told.contains(": 7200 33 300"))
    })?;
    director.program("ldird", &[CF, "stop"]).map(drop)
}

/// What ipvsadm saves, without the service that is none of ours, in an order of its own.
fn saved_of_ours(host: &Host) -> Result<Vec<String>> {
    let saved = host.sh("ipvsadm -Sn")?;
    let ours = saved.lines().filter(|line| !line.contains(STRANGER));
    let mut lines: Vec<String> = ours.map(str::to_owned).collect();
    lines.sort();
    Ok(lines)
}

const STRANGER: &str = "10.10.0.99:80";

fn enforce() -> Result<()> {
    let sections = SECTIONS.iter();
    let sections: Vec<String> = sections
        .map(|(section, _)| format!("{section}\tchecktype=on\n\n"))
        .collect();
    let farm = Farm::new(&format!("enforce=yes\n{}", sections.concat()))?;
    let (director, host) = (&farm.director, farm.host());
    farm.start()?;
    let wanted = saved_of_ours(host)?;
    host.sh(&format!("ipvsadm -A -t {STRANGER} -s rr"))?;
    host.sh(&format!(
        "ipvsadm -a -t {STRANGER} -r 10.10.0.20:80 -m -w 7"
    ))?;
    let put_back = |what: &str| {
        wait::until(what, LIMIT, || {
            saved_of_ours(host).is_ok_and(|lines| lines == wanted)
        })
    };
    let repairs = || -> Result<u64> {
        let shown = director.balancing()?;
        Ok(shown.services.iter().map(|one| one.enforced).sum())
    };
    for change in [
        "ipvsadm -e -t 10.10.0.101:80 -r 10.10.0.21:80 -m -w 9",
        "ipvsadm -E -f 9 -s wlc",
        "ipvsadm -a --sctp-service 10.10.0.101:2905 -r 10.10.0.29:2905 -m",
    ] {
        host.sh(change)?;
        put_back(change)?;
    }
    // The table has been looked at many times by now, and every kind of row is in it: what the kernel
    // shows in its own way is not taken for somebody's change.
    let made = repairs()?;
    ensure!(made == 3, "{made} rows were put back");
    let strangers = host.sh("ipvsadm -Sn")?;
    ensure!(strangers.contains(STRANGER), "it touched\n{strangers}");
    director.program("ldird", &[CF, "stop"]).map(drop)
}

/// Exit code and words of the resource's script, where no ipvsadm is found.
fn script(host: &Host, action: &str) -> Result<(Option<i32>, String)> {
    let mut command = host.command("unshare")?;
    let line = format!(
        "mount --bind /dev/null /usr/sbin/ipvsadm && exec /etc/ha.d/resource.d/ipvsadm /etc/ha.d/rules {action}"
    );
    let output = command.args(["--mount", "sh", "-c", &line]).output()?;
    let said = [output.stdout, output.stderr].concat();
    Ok((
        output.status.code(),
        String::from_utf8_lossy(&said).into_owned(),
    ))
}

fn resource() -> Result<()> {
    const RULES: &str = "# saved\n-A -t 10.10.0.100:80 -s wlc -p 60\n-a -t 10.10.0.100:80 -r 10.10.0.20:80 -g -w 7\n";
    let farm = Farm::new("")?;
    let host = farm.host();
    let write = |text: &str| fs::write(host.folder().join("etc/rules"), text);
    host.sh("ipvsadm -A -t 10.10.0.99:80 -s rr")?;
    write(RULES)?;
    let (code, said) = script(host, "start")?;
    ensure!(code == Some(0), "start ended with {code:?}: {said}");
    let loaded = host.sh("ipvsadm -Sn")?;
    ensure!(format!("# saved\n{loaded}") == RULES, "it loaded\n{loaded}");
    let (code, said) = script(host, "status")?;
    ensure!(
        code == Some(0) && said.trim() == "running",
        "{code:?} {said}"
    );

    write(&format!("{RULES}-a -t 10.10.0.100:80 -r www -g\n"))?;
    let (code, said) = script(host, "start")?;
    ensure!(code != Some(0), "a wrong line was taken: {said}");
    ensure!(said.contains("line 4") && said.contains("www"), "{said}");
    let kept = host.sh("ipvsadm -Sn")?;
    ensure!(kept == loaded, "the table became\n{kept}");

    let (code, said) = script(host, "stop")?;
    ensure!(code == Some(0), "stop ended with {code:?}: {said}");
    let (code, said) = script(host, "status")?;
    ensure!(
        code == Some(3) && said.trim() == "stopped",
        "{code:?} {said}"
    );
    Ok(())
}
