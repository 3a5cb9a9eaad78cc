use super::*;

fn resource(script: &str, args: &[&str]) -> ResourceConfig {
    ResourceConfig {
        script: script.to_owned(),
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
    }
}

#[test]
fn an_address_is_the_same_however_it_is_written_and_a_disk_is_what_its_script_makes_of_it() {
    let address = resource("IPaddr2", &["10.0.0.1/24/eth0"]);
    let disk = resource("drbddisk", &["r0"]);
    let mount = resource("Filesystem", &["/dev/drbd0", "/data"]);
    let service = resource("apache", &[]);
    for (one, key, same) in [
        (&address, "10.0.0.1", true),
        (&address, "10.0.0.1/24", true),
        (&address, "IPaddr::10.0.0.1/16/eth1:0", true),
        (&address, "10.0.0.10", false),
        (&address, "IPaddr", false),
        (&address, "portblock::10.0.0.1/24/eth0", false),
        (&disk, "drbddisk::r0", true),
        (&disk, "LVM::r0", false),
        (&mount, "Filesystem::/dev/drbd0::/data", true),
        (&mount, "Filesystem::/dev/drbd0", false),
        (&service, "apache", true),
        (&service, "apache::x", false),
    ] {
        assert_eq!(is_about(one, key), same, "{one:?} and {key}");
    }
}
