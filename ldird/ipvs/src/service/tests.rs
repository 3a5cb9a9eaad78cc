//! Order, limits and encoding of virtual services.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use std::net::IpAddr;

pub(crate) fn any_id() -> impl Strategy<Value = ServiceId> {
    let protocol = prop::sample::select(vec![Protocol::Tcp, Protocol::Udp, Protocol::Sctp]);
    let family = prop::sample::select(vec![Family::V4, Family::V6]);
    prop_oneof![
        (any::<IpAddr>(), protocol, any::<u16>())
            .prop_map(|(ip, protocol, port)| ServiceId::Address { ip, protocol, port }),
        (family, 1_u32..).prop_map(|(family, mark)| ServiceId::Fwmark { family, mark }),
    ]
}

pub(crate) fn any_service() -> impl Strategy<Value = Service> {
    let flags = any::<(bool, bool, bool, bool, bool)>();
    let names = ("[a-z]{1,15}", prop::option::of("[a-z]{1,15}"));
    (
        any_id(),
        names,
        flags,
        any::<u32>(),
        any::<Ipv4Addr>(),
        1_u8..=128,
    )
        .prop_map(|(id, (scheduler, pe_name), flags, timeout, mask, prefix)| {
            let (persistent, one_packet, sched1, sched2, sched3) = flags;
            let netmask = match id.family() {
                Family::V4 => Netmask::V4(mask),
                Family::V6 => Netmask::V6(prefix),
            };
            let flags = ServiceFlags {
                persistent,
                one_packet,
                sched1,
                sched2,
                sched3,
            };
            Service {
                id,
                scheduler,
                flags,
                timeout,
                netmask,
                pe_name,
            }
        })
}

fn decode(bytes: &[u8]) -> Result<ServiceStatus, DecodeError> {
    ServiceStatus::decode(Attributes::new(LIST, bytes))
}

fn encode(service: &Service) -> Vec<u8> {
    let mut writer = Writer::default();
    service.encode(&mut writer);
    writer.finish()
}

#[test]
fn services_sort_as_ipvsadm_lists_them() {
    let mark = |family, mark| ServiceId::Fwmark { family, mark };
    let sorted = [
        ServiceId::tcp([10, 0, 0, 1], 80),
        ServiceId::tcp([10, 0, 0, 1], 443),
        ServiceId::tcp([10, 0, 0, 2], 25),
        ServiceId::udp([10, 0, 0, 1], 53),
        ServiceId::Address {
            ip: [10, 0, 0, 1].into(),
            protocol: Protocol::Sctp,
            port: 99,
        },
        ServiceId::tcp("2001:db8::1".parse::<IpAddr>().unwrap(), 80),
        mark(Family::V4, 4),
        mark(Family::V6, 4),
        mark(Family::V4, 5),
    ];
    let mut shuffled = sorted;
    shuffled.reverse();
    shuffled.sort();
    assert_eq!(shuffled, sorted);
}

#[test]
fn an_edit_replaces_every_flag_but_the_kernels_own() {
    let mut service = Service::new(ServiceId::tcp([10, 0, 0, 1], 80), "rr");
    service.flags.persistent = true;
    let bytes = encode(&service);
    let flags = Attributes::new(LIST, &bytes)
        .find(FLAGS, "FLAGS")
        .unwrap()
        .value;
    assert_eq!(
        flags,
        [1_u32.to_ne_bytes(), 0xffff_fffd_u32.to_ne_bytes()].concat()
    );
}

#[test]
fn what_the_kernel_could_not_be_told_is_refused() {
    let good = Service::new(ServiceId::tcp([10, 0, 0, 1], 80), "wlc");
    assert_eq!(good.check(), Ok(()));
    let long = Service {
        scheduler: "sixteen-bytes-xx".to_owned(),
        ..good.clone()
    };
    assert_eq!(
        long.check(),
        Err(Invalid::Name {
            name: "sixteen-bytes-xx".to_owned()
        })
    );
    let nameless = Service {
        pe_name: Some(String::new()),
        ..good.clone()
    };
    assert_eq!(
        nameless.check(),
        Err(Invalid::Name {
            name: String::new()
        })
    );
    let mixed = Service {
        netmask: Netmask::host(Family::V6),
        ..good.clone()
    };
    assert_eq!(mixed.check(), Err(Invalid::NetmaskFamily));
    let unmarked = Service {
        id: ServiceId::Fwmark {
            family: Family::V4,
            mark: 0,
        },
        ..good
    };
    assert_eq!(unmarked.check(), Err(Invalid::ZeroMark));
}

#[test]
fn each_missing_part_is_named() {
    let mut writer = Writer::default();
    writer.u16(AF, Family::V4.number());
    let missing = |what| Err(DecodeError::Missing { list: LIST, what });
    assert_eq!(decode(&[]), missing("AF"));
    assert_eq!(decode(&writer.finish()), missing("ADDR"));
    let mut writer = Writer::default();
    ServiceId::Fwmark {
        family: Family::V4,
        mark: 1,
    }
    .encode(&mut writer);
    assert_eq!(decode(&writer.finish()), missing("SCHED_NAME"));
}

#[test]
fn a_family_or_protocol_of_the_future_is_told_by_number() {
    let mut writer = Writer::default();
    writer.u16(AF, 77);
    let fault = decode(&writer.finish()).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "service: attribute 1 has the unknown value 77"
    );
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(service in any_service()) {
        let status = decode(&encode(&service)).unwrap();
        prop_assert_eq!(status, ServiceStatus { service, stats: Stats::default(), destinations: vec![] });
    }

    #[test]
    fn what_is_checked_fits_a_message(service in any_service()) {
        prop_assert_eq!(service.check(), Ok(()));
        prop_assert!(encode(&service).len() < 200);
    }

    #[test]
    fn decoding_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&bytes);
    }

    /// Random bytes rarely get past the first length; a damaged real message does.
    #[test]
    fn decoding_a_damaged_service_never_panics(
        service in any_service(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = encode(&service);
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        let _ = decode(&bytes);
    }
}
