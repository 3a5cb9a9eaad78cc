//! Every operation against a real kernel, with ipvsadm as the judge.
//!
//! Each test has a network namespace of its own. Without root, IPVS or ipvsadm a test says so and
//! skips; with LAB_KERNEL=1 that is a failure. With LAB_GOLDEN=DIR the first test writes what the
//! kernel and ipvsadm said into DIR, to become `tests/golden`.

#![allow(clippy::unwrap_used)]

mod bed;
mod generated;
mod golden;

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use bed::{in_kernel, ipvsadm};
use futures_util::FutureExt;
use ldird_ipvs::text::{self, Columns, Command, Numbers};
use ldird_ipvs::{
    Cause, Client, Destination, Error, Family, Forwarding, Netmask, Service, ServiceId,
    ServiceStatus, SyncDaemon, SyncRole, Timeouts,
};

/// One of everything that ipvsadm can express.
const EVERYTHING: &str = "\
-A -t 10.0.0.1:80 -s rr -p 600 -M 255.255.255.0
-a -t 10.0.0.1:80 -r 10.0.0.2 -i --tun-type gue --tun-port 6080 -x 5 -y 2
-a -t 10.0.0.1:80 -r 10.0.0.3 -i --tun-type gue --tun-port 6080 --tun-remcsum
-a -t 10.0.0.1:80 -r 10.0.0.4 -i --tun-type gre --tun-csum
-a -t 10.0.0.1:80 -r 10.0.0.10 -i
-a -t 10.0.0.1:80 -r 10.0.0.6:8080 -m -w 65535
-a -t 10.0.0.1:80 -r 10.0.0.7 -g -w 0
-a -t 10.0.0.1:80 -r 10.0.0.9 -g -w 2147483647 -x 2147483647
-A -t 10.0.0.1:0 -s wlc -p
-A -t 10.0.0.1:443 -s wrr -p 70 -M 255.255.0.255
-A -u 10.0.0.1:53 -s mh -b mh-fallback,mh-port -o
-A -u 10.0.0.1:5060 -s rr -p 60 --pe sip
-A -u 10.0.0.1:5062 -s rr
-a -u 10.0.0.1:5062 -r 10.0.0.1:5063 -m
-A --sctp-service 10.0.0.1:99 -s wlc
-A -t [2001:db8::1]:443 -s wlc -p 10 -M 64
-A -t [2001:db8:1111:2222:3333:4444:5555:6666]:443 -s wrr -b flag-1,flag-2,flag-3
-a -t [2001:db8:1111:2222:3333:4444:5555:6666]:443 -r 10.0.0.3 -i
-a -t [2001:db8:1111:2222:3333:4444:5555:6666]:443 -r [2001:db8:1111:2222:3333:4444:5555:7777] -g
-a -t [2001:db8:1111:2222:3333:4444:5555:6666]:443 -r [2001:db8::7]:8443 -m -w 2
-A -f 4 -s sh -b sh-fallback,sh-port
-a -f 4 -r 10.0.0.9 -g -w 5
-a -f 4 -r 10.0.0.11:8080 -m
-A -f 5 -s wlc
-A -f 5 -6 -s wlc -p 300 -M 64 -o
-a -f 5 -6 -r [2001:db8::5]:0 -m
-A -f 2147483647 -s lc
";

async fn restore(client: &mut Client, text: &str) {
    for command in text::parse(text).unwrap() {
        client
            .apply(&command)
            .await
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    }
}

/// Sends packets of five bytes to a service of 10.0.0.1 whose only real server is the next port of the
/// same host, and waits until the kernel has counted them, which it does every two seconds.
async fn talk(client: &mut Client, id: &ServiceId, packets: u64) {
    const LIMIT: Duration = Duration::from_secs(20);
    let ServiceId::Address { ip, port, .. } = *id else {
        panic!("{id} has no address")
    };
    let server = UdpSocket::bind((ip, port + 1)).unwrap();
    server.set_read_timeout(Some(LIMIT)).unwrap();
    let visitor = UdpSocket::bind("0.0.0.0:0").unwrap();
    for _ in 0..packets {
        visitor.send_to(b"hello", (ip, port)).unwrap();
        server.recv_from(&mut [0; 16]).unwrap();
    }
    let begin = Instant::now();
    loop {
        let counted = client.service(id).await.unwrap().unwrap();
        let real = &counted.destinations[0];
        if [counted.stats.in_packets, real.stats.in_packets] == [packets, packets] {
            return;
        }
        assert!(
            begin.elapsed() < LIMIT,
            "{packets} packets, counted {counted:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn web() -> ServiceId {
    ServiceId::tcp([10, 0, 0, 1], 80)
}

fn real(address: &str, weight: u32) -> Destination {
    Destination::new(address.parse().unwrap(), Forwarding::Route, weight)
}

fn cause(result: Result<(), Error>) -> Option<Cause> {
    result.unwrap_err().cause()
}

#[test]
fn a_table_of_everything_reads_back_and_prints_as_ipvsadm_prints_it() {
    in_kernel(async |client| {
        restore(client, EVERYTHING).await;
        // Traffic, so that counters are not all zero: the real server is this host itself.
        let talkative = ServiceId::udp([10, 0, 0, 1], 5062);
        talk(client, &talkative, 3).await;
        let table = client.dump().await.unwrap();
        let info = client.info().await.unwrap();
        for (options, columns) in [
            ("-Ln", Columns::Normal),
            ("-Ln --thresholds", Columns::Thresholds),
            ("-Ln --persistent-conn", Columns::PersistentConnections),
            ("-Ln --stats", Columns::Stats(Numbers::Units)),
            ("-Ln --stats --exact", Columns::Stats(Numbers::Exact)),
        ] {
            assert_eq!(
                text::list(&info, &table, columns),
                ipvsadm(options),
                "{options}"
            );
        }
        assert_eq!(text::save(&table), ipvsadm("-Sn"));
        let udp = table.iter().find(|status| status.service.id == talkative);
        let stats = udp.unwrap().stats;
        assert_eq!(
            (stats.connections, stats.in_packets, stats.in_bytes),
            (1, 3, 3 * 33)
        );

        // Value by value, what was asked for is what the kernel keeps.
        let mut wanted = Vec::new();
        for command in text::parse(EVERYTHING).unwrap() {
            match command {
                Command::AddService(service) => wanted.push((service, Vec::new())),
                Command::AddDestination(_, real) => wanted.last_mut().unwrap().1.push(real),
                other => panic!("{other:?}"),
            }
        }
        wanted.sort();
        for (_, reals) in &mut wanted {
            reals.sort();
        }
        let kept = table.iter().map(|status| {
            let reals = status.destinations.iter().map(|real| real.destination);
            (status.service.clone(), reals.collect())
        });
        assert_eq!(kept.collect::<Vec<_>>(), wanted);
        golden::capture_if_asked();
    });
}

#[test]
fn what_ipvsadm_saves_is_restored_without_a_difference() {
    in_kernel(async |client| {
        restore(client, EVERYTHING).await;
        let saved = ipvsadm("-Sn");
        client.flush().await.unwrap();
        assert_eq!(ipvsadm("-Sn"), "");
        restore(client, &saved).await;
        assert_eq!(ipvsadm("-Sn"), saved);
    });
}

#[test]
fn what_exists_and_what_is_missing_are_told_apart() {
    in_kernel(async |client| {
        let service = Service::new(web(), "rr");
        let first = real("10.0.0.2:80", 1);
        assert_eq!(
            cause(client.edit_service(&service).await),
            Some(Cause::NoSuchService)
        );
        assert_eq!(
            cause(client.delete_service(&web()).await),
            Some(Cause::NoSuchService)
        );
        assert_eq!(
            cause(client.zero(Some(&web())).await),
            Some(Cause::NoSuchService)
        );
        assert_eq!(client.service(&web()).await.unwrap(), None);
        assert_eq!(client.destinations(&web()).await.unwrap(), []);
        assert_eq!(
            cause(client.add_destination(&web(), &first).await),
            Some(Cause::ServiceNotDefined)
        );
        assert_eq!(
            cause(client.edit_destination(&web(), &first).await),
            Some(Cause::ServiceNotDefined)
        );
        let gone = client.delete_destination(&web(), first.address).await;
        assert_eq!(cause(gone), Some(Cause::ServiceNotDefined));

        client.add_service(&service).await.unwrap();
        assert_eq!(
            cause(client.add_service(&service).await),
            Some(Cause::ServiceExists)
        );
        assert_eq!(
            cause(client.edit_destination(&web(), &first).await),
            Some(Cause::NoSuchDestination)
        );
        let gone = client.delete_destination(&web(), first.address).await;
        assert_eq!(cause(gone), Some(Cause::NoSuchDestination));
        client.add_destination(&web(), &first).await.unwrap();
        assert_eq!(
            cause(client.add_destination(&web(), &first).await),
            Some(Cause::DestinationExists)
        );

        let found = client.service(&web()).await.unwrap().unwrap();
        assert_eq!(found.service, service);
        assert_eq!(found.destinations[0].destination, first);
    });
}

#[test]
fn what_the_kernel_refuses_is_named() {
    in_kernel(async |client| {
        let unknown = Service::new(web(), "no-such-one");
        assert_eq!(
            cause(client.add_service(&unknown).await),
            Some(Cause::NoSuchScheduler)
        );
        let mut engine = Service::new(web(), "rr");
        engine.flags.persistent = true;
        engine.timeout = 60;
        engine.pe_name = Some("no-such-one".to_owned());
        assert_eq!(
            cause(client.add_service(&engine).await),
            Some(Cause::NoSuchScheduler)
        );
        let mut prefix = Service::new(
            ServiceId::tcp("2001:db8::1".parse::<IpAddr>().unwrap(), 80),
            "rr",
        );
        prefix.netmask = Netmask::V6(129);
        assert_eq!(
            cause(client.add_service(&prefix).await),
            Some(Cause::Refused)
        );

        client
            .add_service(&Service::new(web(), "rr"))
            .await
            .unwrap();
        let multicast = real("224.0.0.1:80", 1);
        assert_eq!(
            cause(client.add_destination(&web(), &multicast).await),
            Some(Cause::Refused)
        );
        let mut limits = real("10.0.0.2:80", 1);
        limits.lower_threshold = 7;
        assert_eq!(
            cause(client.add_destination(&web(), &limits).await),
            Some(Cause::OutOfRange)
        );
        let heavy = real("10.0.0.2:80", u32::MAX);
        let refused = client.add_destination(&web(), &heavy).await.unwrap_err();
        assert!(matches!(refused, Error::Invalid { .. }), "{refused}");
        assert_eq!(client.dump().await.unwrap()[0].destinations, []);
    });
}

#[test]
fn an_edit_replaces_everything_about_a_service() {
    in_kernel(async |client| {
        let plain = Service::new(web(), "wlc");
        let mut special = Service::new(web(), "sh");
        special.flags.persistent = true;
        special.flags.sched2 = true;
        special.timeout = 90;
        special.netmask = Netmask::V4([255, 255, 0, 0].into());
        client.add_service(&special).await.unwrap();
        assert_eq!(
            ipvsadm("-Sn"),
            "-A -t 10.0.0.1:80 -s sh -p 90 -M 255.255.0.0 -b sh-port\n"
        );
        client.edit_service(&plain).await.unwrap();
        assert_eq!(ipvsadm("-Sn"), "-A -t 10.0.0.1:80 -s wlc\n");
        assert_eq!(client.dump().await.unwrap()[0].service, plain);
        client.edit_service(&special).await.unwrap();
        assert_eq!(client.dump().await.unwrap()[0].service, special);
    });
}

#[test]
fn real_servers_are_edited_and_deleted_one_by_one() {
    in_kernel(async |client| {
        client
            .add_service(&Service::new(web(), "wlc"))
            .await
            .unwrap();
        for address in ["10.0.0.2:80", "10.0.0.3:80"] {
            client
                .add_destination(&web(), &real(address, 1))
                .await
                .unwrap();
        }
        let mut quiesced = real("10.0.0.3:80", 0);
        quiesced.upper_threshold = 9;
        quiesced.lower_threshold = 4;
        client.edit_destination(&web(), &quiesced).await.unwrap();
        assert_eq!(
            client.destinations(&web()).await.unwrap()[1].destination,
            quiesced
        );
        client
            .delete_destination(&web(), real("10.0.0.2:80", 1).address)
            .await
            .unwrap();
        assert_eq!(
            ipvsadm("-Sn"),
            "-A -t 10.0.0.1:80 -s wlc\n-a -t 10.0.0.1:80 -r 10.0.0.3:80 -g -w 0\n"
        );
        client.delete_service(&web()).await.unwrap();
        assert_eq!(ipvsadm("-Sn"), "");
    });
}

#[test]
fn the_same_mark_serves_both_families_apart() {
    in_kernel(async |client| {
        for family in [Family::V4, Family::V6] {
            let id = ServiceId::Fwmark { family, mark: 7 };
            client.add_service(&Service::new(id, "rr")).await.unwrap();
        }
        client
            .delete_service(&ServiceId::Fwmark {
                family: Family::V4,
                mark: 7,
            })
            .await
            .unwrap();
        assert_eq!(ipvsadm("-Sn"), "-A -f 7 -6 -s rr\n");
    });
}

#[test]
fn counters_are_zeroed_for_one_service_or_all() {
    in_kernel(async |client| {
        let ids = [5062, 5072].map(|port| ServiceId::udp([10, 0, 0, 1], port));
        for (id, port) in ids.iter().zip([5063, 5073]) {
            client.add_service(&Service::new(*id, "rr")).await.unwrap();
            let local = SocketAddr::from(([10, 0, 0, 1], port));
            let real = Destination::new(local, Forwarding::Masq, 1);
            client.add_destination(id, &real).await.unwrap();
            talk(client, id, 1).await;
        }
        let packets = |table: Vec<ServiceStatus>| {
            table
                .iter()
                .map(|status| status.stats.in_packets)
                .collect::<Vec<_>>()
        };
        assert_eq!(packets(client.dump().await.unwrap()), [1, 1]);
        client.zero(Some(&ids[0])).await.unwrap();
        assert_eq!(packets(client.dump().await.unwrap()), [0, 1]);
        client.zero(None).await.unwrap();
        assert_eq!(packets(client.dump().await.unwrap()), [0, 0]);
    });
}

#[test]
fn timeouts_change_one_by_one() {
    in_kernel(async |client| {
        client
            .set_timeouts(&Timeouts {
                tcp: 1000,
                tcp_fin: 100,
                udp: 200,
            })
            .await
            .unwrap();
        client
            .set_timeouts(&Timeouts {
                tcp: 0,
                tcp_fin: 0,
                udp: 250,
            })
            .await
            .unwrap();
        let timeouts = client.timeouts().await.unwrap();
        assert_eq!(
            timeouts,
            Timeouts {
                tcp: 1000,
                tcp_fin: 100,
                udp: 250
            }
        );
        assert_eq!(format!("{timeouts}\n"), ipvsadm("-L --timeout"));
    });
}

#[test]
fn sync_daemons_start_list_and_stop() {
    in_kernel(async |client| {
        assert_eq!(client.daemons().await.unwrap(), []);
        let mut backup = SyncDaemon::new(SyncRole::Backup, "lab0", 7);
        backup.max_length = 1400;
        backup.group = Some([239, 1, 1, 1].into());
        backup.port = 9000;
        backup.ttl = 3;
        client
            .start_daemon(&SyncDaemon::new(SyncRole::Master, "lab0", 0))
            .await
            .unwrap();
        client.start_daemon(&backup).await.unwrap();
        assert_eq!(
            cause(client.start_daemon(&backup).await),
            Some(Cause::DaemonRunning)
        );
        let running = client.daemons().await.unwrap();
        assert_eq!(running.last(), Some(&backup));
        let lines: Vec<_> = running.iter().map(SyncDaemon::to_string).collect();
        assert_eq!(lines, ipvsadm("-L --daemon").lines().collect::<Vec<_>>());
        for role in [SyncRole::Master, SyncRole::Backup] {
            client.stop_daemon(role).await.unwrap();
            assert_eq!(
                cause(client.stop_daemon(role).await),
                Some(Cause::DaemonNotRunning)
            );
        }
        let nowhere = SyncDaemon::new(SyncRole::Master, "nowhere0", 0);
        let refused = client.start_daemon(&nowhere).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "start sync daemon: No such device (os error 19)"
        );
    });
}

#[test]
fn a_cancelled_dump_leaves_the_client_usable() {
    in_kernel(async |client| {
        for port in 1..=50 {
            client
                .add_service(&Service::new(ServiceId::tcp([10, 0, 0, 1], port), "rr"))
                .await
                .unwrap();
        }
        // Polled once, the request is on its way; dropped, its answer has no reader.
        assert!(client.dump().now_or_never().is_none());
        assert_eq!(client.dump().await.unwrap().len(), 50);
    });
}

#[test]
fn ten_thousand_real_servers_are_complete() {
    const SIDE: u16 = 100;
    in_kernel(async |client| {
        let begin = Instant::now();
        for port in 1..=SIDE {
            let id = ServiceId::tcp([10, 0, 0, 1], port);
            client.add_service(&Service::new(id, "wlc")).await.unwrap();
            for host in 0..SIDE {
                let [high, low] = host.to_be_bytes();
                let address = SocketAddr::from(([10, 1, high, low + 1], port));
                let real = Destination::new(address, Forwarding::Route, 1);
                client.add_destination(&id, &real).await.unwrap();
            }
        }
        let loaded = begin.elapsed();
        let begin = Instant::now();
        let table = client.dump().await.unwrap();
        println!("loaded in {loaded:?}, dumped in {:?}", begin.elapsed());
        assert_eq!(table.len(), usize::from(SIDE));
        for status in &table {
            assert_eq!(
                status.destinations.len(),
                usize::from(SIDE),
                "{}",
                status.service.id
            );
        }
        assert!(
            text::save(&table) == ipvsadm("-Sn"),
            "the saved tables differ"
        );
    });
}
