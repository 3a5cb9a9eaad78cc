use super::Saved;

#[test]
fn services_have_a_head_and_real_servers_with_their_thresholds() {
    let saved = "-A -t 10.20.1.1:80 -s wrr -p 600\n\
                 -a -t 10.20.1.1:80 -r 10.10.0.21:80 -g -w 1\n\
                 -a -t 10.20.1.1:80 -r 10.10.0.22:80 -g -w 2\n\
                 -A -f 5 -6 -s wlc\n";
    let limits = "IP Virtual Server version 1.2.1 (size=4096)\n\
                  Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn\n  \
                  -> RemoteAddress:Port\n\
                  TCP  10.20.1.1:80 wrr persistent 600\n  \
                  -> 10.10.0.21:80                20         10         0          0\n  \
                  -> 10.10.0.22:80                0          0          0          0\n\
                  FWM  5 IPv6 wlc\n";
    let saved = Saved::read(saved, limits).expect("as ipvsadm prints it");
    let services: Vec<&str> = saved.services().collect();
    assert_eq!(services, ["-f 5 -6", "-t 10.20.1.1:80"]);
    assert_eq!(saved.head("-t 10.20.1.1:80"), "-s wrr -p 600");
    assert_eq!(
        saved.reals("-t 10.20.1.1:80"),
        "10.10.0.21:80 -g -w 1 u:20 l:10, 10.10.0.22:80 -g -w 2"
    );
    assert_eq!(saved.reals("-f 5 -6"), "");
    assert_eq!(saved.reals("-t 10.20.1.2:80"), "absent");
}
