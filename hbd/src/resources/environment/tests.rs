#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn scripts_find_the_old_names_and_nobody_redirects_them() {
    let recorded = [
        ("HA_keepalive", "1"),
        ("HA_SITE", "x"),
        ("HA_FUNCS", "/tmp/evil"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let program = Path::new("/opt/ha/bin/hbd");
    let all = environment(
        Path::new("/etc/ha.d"),
        "lb1",
        Failback::On,
        &Logging {
            logfile: Some("/var/log/ha-log".into()),
            debugfile: None,
            facility: ha_plumbing::log::Facility::from_name("local0"),
            syslog_layout: true,
            debug: 1,
        },
        &recorded.into(),
        Some(program),
    );
    let value = |name: &str| {
        let found = all.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.to_str().unwrap())
    };
    assert_eq!(value("HA_keepalive"), Some("1"));
    assert_eq!(value("HA_SITE"), Some("x"));
    assert_eq!(value("HA_FUNCS"), Some("/etc/ha.d/shellfuncs"));
    assert_eq!(value("HA_DIR"), Some("/etc/ha.d/"));
    assert_eq!(value("HA_CURHOST"), Some("lb1"));
    assert_eq!(value("HA_NICEFAILBACK"), Some("yes"));
    assert_eq!(value("HBD"), Some("/opt/ha/bin/hbd"));
    assert!(value("PATH").unwrap().ends_with(":/opt/ha/bin"));
    assert_eq!(value("LC_ALL"), None);
    assert_eq!(value("HA_LOGD"), Some("no"));
    assert_eq!(value("HA_LOGFILE"), Some("/var/log/ha-log"));
    assert_eq!(value("HA_LOGFACILITY"), Some("local0"));
    assert_eq!(value("HA_DEBUGLOG"), None);
    assert_eq!(value("HA_debug"), Some("1"));
}
