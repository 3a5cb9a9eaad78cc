//! Limits and encoding of real servers.

#![allow(clippy::unwrap_used)]

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

pub(crate) fn any_destination() -> impl Strategy<Value = Destination> {
    let checksum = prop::sample::select(vec![
        TunnelChecksum::None,
        TunnelChecksum::Full,
        TunnelChecksum::Remote,
    ]);
    let tunnel = (0..3, any::<u16>(), checksum).prop_map(|(kind, port, checksum)| match kind {
        0 => Tunnel::Ipip,
        1 => Tunnel::Gue { port, checksum },
        _ => Tunnel::Gre { checksum },
    });
    let forwarding = prop::sample::select(vec![
        Forwarding::Masq,
        Forwarding::Local,
        Forwarding::Tunnel,
        Forwarding::Route,
        Forwarding::Bypass,
    ]);
    let address = any::<(IpAddr, u16)>().prop_map(SocketAddr::from);
    (
        address,
        forwarding,
        0..=MAX_WEIGHT,
        any::<u32>(),
        any::<u32>(),
        tunnel,
    )
        .prop_map(
            |(address, forwarding, weight, upper_threshold, lower_threshold, tunnel)| Destination {
                address,
                forwarding,
                weight,
                upper_threshold,
                lower_threshold,
                tunnel,
            },
        )
}

fn mark() -> ServiceId {
    ServiceId::Fwmark {
        family: Family::V6,
        mark: 1,
    }
}

fn decode(bytes: &[u8]) -> Result<DestinationStatus, DecodeError> {
    DestinationStatus::decode(Attributes::new(LIST, bytes), &mark())
}

fn encode(real: &Destination) -> Vec<u8> {
    let mut writer = Writer::default();
    real.encode(&mut writer);
    writer.finish()
}

#[test]
fn without_a_family_of_its_own_a_real_server_has_the_services() {
    let mut writer = Writer::default();
    writer.bytes(ADDR, &[0xfd; 16]);
    writer.u16_be(PORT, 80);
    writer.u32(FWD_METHOD, 3);
    writer.u32(WEIGHT, 1);
    let status = decode(&writer.finish()).unwrap();
    assert_eq!(
        status.destination.address.to_string(),
        "[fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd]:80"
    );
}

#[test]
fn the_forwarding_method_is_the_low_three_bits() {
    let mut real = encode(&Destination::new(
        "10.0.0.1:80".parse().unwrap(),
        Forwarding::Masq,
        1,
    ));
    let method = real
        .windows(4)
        .position(|header| header == [8, 0, 3, 0])
        .unwrap()
        + 4;
    for (bits, expected) in [
        (0x8003_u32, Some(Forwarding::Route)),
        (0x22, Some(Forwarding::Tunnel)),
        (5, None),
    ] {
        real[method..method + 4].copy_from_slice(&bits.to_ne_bytes());
        assert_eq!(
            decode(&real)
                .ok()
                .map(|status| status.destination.forwarding),
            expected,
            "{bits:#x}"
        );
    }
}

#[test]
fn a_tunnel_that_the_kernel_keeps_with_a_local_server_survives_an_edit() {
    let mut real = Destination::new("10.0.0.1:80".parse().unwrap(), Forwarding::Local, 1);
    real.tunnel = Tunnel::Gue {
        port: 6080,
        checksum: TunnelChecksum::Full,
    };
    assert_eq!(decode(&encode(&real)).unwrap().destination, real);
}

#[test]
fn weights_that_the_kernel_would_take_for_negative_are_refused() {
    let real = |weight| Destination::new("10.0.0.1:80".parse().unwrap(), Forwarding::Route, weight);
    assert_eq!(real(MAX_WEIGHT).check(), Ok(()));
    assert_eq!(
        real(MAX_WEIGHT + 1).check(),
        Err(Invalid::Weight(2_147_483_648))
    );
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(real in any_destination()) {
        let status = decode(&encode(&real)).unwrap();
        prop_assert_eq!(status.destination, real);
    }

    #[test]
    fn decoding_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn decoding_a_damaged_real_server_never_panics(
        real in any_destination(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = encode(&real);
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        let _ = decode(&bytes);
    }
}
