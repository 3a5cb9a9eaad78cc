//! The packets of the Heartbeat specification 2.9, byte for byte, as the shipped library of the
//! old daemon encodes them: what we send must equal them, and what we get must be understood.
//!
//! Cluster: nodes alice and bob; authkeys `auth 1`, `1 sha1 hb-test-key-1`.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;

use hbd_core::wire::{
    Key, Keys, Message, Method, Reject, Value, WireError, decode, decode_unsigned, encode_classic,
    encode_netstring, encode_unsigned,
};

const SECRET: &[u8] = b"hb-test-key-1";
const ALICE: [u8; 16] = 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff_u128.to_be_bytes();
const BOB: [u8; 16] = 0x0f1e_2d3c_4b5a_6978_8796_a5b4_c3d2_e1f0_u128.to_be_bytes();

/// One message with everything the specification says about it.
struct Vector {
    name: &'static str,
    message: fn() -> Message,
    /// Over the classic body.
    body: Option<Digests>,
    /// Over the netstring form without inner `auth`.
    trailer: Option<Digests>,
    /// `C`, with the trailing NUL.
    classic: Option<Packet>,
    /// `D`.
    with_inner_auth: Option<Packet>,
    /// `N`; no bytes where only length and digests are given.
    netstring: Option<Packet>,
}

struct Digests {
    /// Bytes covered (body), or of the whole packet (trailer).
    length: usize,
    sha1: &'static str,
    md5: &'static str,
    crc: &'static str,
}

struct Packet {
    length: usize,
    sha256: &'static str,
    bytes: &'static [u8],
}

fn keys(method: Method) -> Keys {
    Keys::single(1, Key::new(method, SECRET))
}

fn sha1() -> Keys {
    keys(Method::Sha1)
}

/// The standard fields of 5.2 as alice sends them.
fn standard(mut message: Message, seq: Option<&str>) -> Message {
    if message.text("dest").is_some() {
        message.push_binary("destuuid", BOB);
    }
    message.push_text("src", "alice");
    message.push_binary("srcuuid", ALICE);
    if let Some(seq) = seq {
        message.push_text("seq", seq);
    }
    let mut message = message.with("hg", "66112233").with("ts", "66112a40");
    if seq.is_some() {
        message.push_text("ld", "0.00 0.01 0.05 1/123 4567");
    }
    message.with("ttl", "3")
}

fn v1() -> Message {
    let status = Message::new("status").with("st", "active");
    standard(status.with("dt", "7530").with("protocol", "1"), Some("1f"))
}

fn v2() -> Message {
    let ask = Message::new("ask_resources").with("rsc_hold", "foreign");
    standard(ask.with("info", "me"), Some("20"))
}

fn v3() -> Message {
    let ack = Message::new("NS_ackmsg").with("dest", "bob");
    standard(ack.with("ackseq", "1a"), None)
}

fn v4() -> Message {
    let report = Message::new("resource").with("rsc_hold", "all");
    standard(
        report.with("rtype", "full").with("isstable", "1"),
        Some("21"),
    )
}

fn v5() -> Message {
    let ping = Message::new("NS_st")
        .with("st", "ping")
        .with("info", "ping");
    ping.with("src", "192.0.2.1").with("ts", "66112a40")
}

fn v6() -> Message {
    let request = Message::new("NS_rexmit").with("dest", "bob");
    standard(request.with("firstseq", "26").with("lastseq", "26"), None)
}

fn v7() -> Message {
    let answer = Message::default().with("dest", "bob").with("t", "repnodes");
    let answer = answer.with("nodelist", "alice bob ");
    standard(answer.with("delnodelist", " "), Some("22"))
}

/// What the old daemon sends by default: the netstring form with the classic digest inside.
fn encode_with_inner_auth(message: &Message, keys: &Keys) -> Vec<u8> {
    let classic = encode_classic(message, keys, false).unwrap();
    let digest = signature_line(&classic);
    let mut packet = encode_netstring(message, keys).unwrap();
    let end = packet
        .windows(4)
        .rposition(|four| four == b"%%%\n")
        .unwrap();
    packet.truncate(end);
    let length = "(0)auth=".len() + digest.len();
    packet.extend_from_slice(format!("{length}:(0)auth={digest},%%%\n").as_bytes());
    let trailer = String::from_utf8(keys.sign(&packet)).unwrap();
    packet.extend_from_slice(format!("{}:{trailer},", trailer.len()).as_bytes());
    packet
}

/// The value of the line `auth=` of a classic packet.
fn signature_line(classic: &[u8]) -> String {
    let mut lines = classic.split(|byte| *byte == b'\n');
    let digest = lines.find_map(|line| line.strip_prefix(b"auth=")).unwrap();
    String::from_utf8(digest.to_vec()).unwrap()
}

fn assert_packet(name: &str, form: &str, got: &[u8], expected: &Packet) {
    if !expected.bytes.is_empty() {
        let (got, expected) = (got.escape_ascii(), expected.bytes.escape_ascii());
        assert_eq!(got.to_string(), expected.to_string(), "{name} {form}");
    }
    assert_eq!(got.len(), expected.length, "{name} {form}");
    let sum = ring::digest::digest(&ring::digest::SHA256, got);
    assert_eq!(hex(sum.as_ref()), expected.sha256, "{name} {form}");
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

#[test]
fn packets_we_send_equal_those_of_the_old_daemon() {
    for vector in VECTORS {
        let message = (vector.message)();
        if let Some(expected) = vector.classic {
            let got = encode_classic(&message, &sha1(), true).unwrap();
            assert_packet(vector.name, "C", &got, &expected);
        }
        if let Some(expected) = vector.with_inner_auth {
            let got = encode_with_inner_auth(&message, &sha1());
            assert_packet(vector.name, "D", &got, &expected);
        }
        if let Some(expected) = vector.netstring {
            let got = encode_netstring(&message, &sha1()).unwrap();
            assert_packet(vector.name, "N", &got, &expected);
        }
    }
}

#[test]
fn digests_of_every_method_equal_those_of_the_old_daemon() {
    for vector in VECTORS {
        let message = (vector.message)();
        let all = |digests: &Digests| {
            [
                (Method::Sha1, digests.sha1),
                (Method::Md5, digests.md5),
                (Method::Crc, digests.crc),
            ]
        };
        for (method, digest) in vector.body.iter().flat_map(all) {
            let packet = encode_classic(&message, &keys(method), false).unwrap();
            let expected = format!("1 {digest}");
            assert_eq!(signature_line(&packet), expected, "{}", vector.name);
            assert_eq!(decode(&packet, &keys(method)).unwrap(), message);
        }
        for (method, digest) in vector.trailer.iter().flat_map(all) {
            let packet = encode_netstring(&message, &keys(method)).unwrap();
            let expected = format!("{}:1 {digest},", digest.len() + 2);
            assert!(packet.ends_with(expected.as_bytes()), "{}", vector.name);
            assert_eq!(decode(&packet, &keys(method)).unwrap(), message);
        }
        if let Some(body) = vector.body {
            let unsigned = encode_unsigned(&message).unwrap();
            let body_length = unsigned.len() - ">>>\n<<<\n".len();
            assert_eq!(body_length, body.length, "{}", vector.name);
        }
    }
}

#[test]
fn packets_of_the_old_daemon_are_understood_in_every_form() {
    for vector in VECTORS {
        let message = (vector.message)();
        let packets = [vector.classic, vector.with_inner_auth, vector.netstring];
        for packet in packets.into_iter().flatten() {
            if packet.bytes.is_empty() {
                continue;
            }
            assert_eq!(decode(packet.bytes, &sha1()).unwrap(), message);
            assert_eq!(decode_unsigned(packet.bytes).unwrap(), message);
            if let Some(without_nul) = packet.bytes.strip_suffix(b"\0") {
                assert_eq!(decode(without_nul, &sha1()).unwrap(), message);
            }
            let other_secret = Keys::single(1, Key::new(Method::Sha1, b"other"));
            let refused = decode(packet.bytes, &other_secret);
            assert_eq!(refused, Err(WireError::DigestMismatch(1)));
            let other_index = Keys::single(2, Key::new(Method::Sha1, SECRET));
            let refused = decode(packet.bytes, &other_index);
            assert_eq!(refused, Err(WireError::UnknownKey(1)));
        }
    }
}

#[test]
fn hex_dumps_agree() {
    assert_eq!(
        hex(&encode_netstring(&v1(), &sha1()).unwrap()),
        V1_NETSTRING_HEX
    );
    assert_eq!(
        hex(&encode_netstring(&v3(), &sha1()).unwrap()),
        V3_NETSTRING_HEX
    );
}

/// V8.
#[test]
fn line_feeds_inside_strings_survive_both_framings() {
    let message = Message::new("x").with("info", "a\nb");
    let classic = encode_classic(&message, &sha1(), false).unwrap();
    assert!(classic.starts_with(b">>>\nt=x\ninfo=a\x13b\nauth=1 "));
    assert_eq!(decode(&classic, &sha1()).unwrap(), message);
    let netstring = encode_netstring(&message, &sha1()).unwrap();
    assert!(netstring.starts_with(b"###\n6:(0)t=x,11:(0)info=a\nb,%%%\n42:1 "));
    assert_eq!(decode(&netstring, &sha1()).unwrap(), message);
}

/// Nested messages and lists: their layout, from 2.2 and 2.3.
#[test]
fn nested_messages_are_laid_out_by_depth() {
    let mut inner = Message::new("b");
    inner.push("c", Value::Struct(Message::new("d")));
    let mut message = Message::new("a");
    message.push("s", Value::Struct(inner));
    message.push("l", Value::List(vec![b"one".to_vec(), Vec::new()]));
    let expected = b">>>\nt=a\n(2)s=>>>\x14t=b\x14(2)c=>>>\x15t=d\x15<<<\x15\x14<<<\x14\n\
        (3)l=3:one,0:,\n<<<\n";
    let classic = encode_unsigned(&message).unwrap();
    assert_eq!(
        classic.escape_ascii().to_string(),
        expected.escape_ascii().to_string()
    );
    assert_eq!(decode_unsigned(&classic).unwrap(), message);

    let expected = b"###\n6:(0)t=a,48:(2)s=###\n6:(0)t=b,22:(2)c=###\n6:(0)t=d,%%%\n,%%%\n,\
        14:(3)l=3:one,0:,,%%%\n42:";
    let netstring = encode_netstring(&message, &sha1()).unwrap();
    let start = netstring.get(..expected.len()).unwrap();
    assert_eq!(
        start.escape_ascii().to_string(),
        expected.escape_ascii().to_string()
    );
    assert_eq!(decode(&netstring, &sha1()).unwrap(), message);
}

/// One such datagram ends the old daemon (11.2 #2).
#[test]
fn the_datagram_that_kills_the_old_daemon_is_refused() {
    let refused = decode(b"###\n5:hello,%%%\n", &sha1()).unwrap_err();
    assert_eq!(refused.reason(), Reject::BadDigest);
    let refused = decode_unsigned(b"###\n5:hello,%%%\n").unwrap_err();
    assert_eq!(refused.reason(), Reject::Malformed);
}

/// The vectors; `None` where the specification gives nothing.
const VECTORS: [Vector; 7] = [
    Vector {
        name: "V1",
        message: v1,
        body: Some(Digests {
            length: 150,
            sha1: "2b99a79751e7d7edd4e7b7df4d9e221d2c716b18",
            md5: "9eda9e620556cc718a2e2c93f3893c06",
            crc: "ad597880",
        }),
        trailer: Some(Digests {
            length: 257,
            sha1: "abb9f278c6bb548bb7fbfd62ede57e308007674a",
            md5: "ea63f2a4532b8862ae7b6389b5aafd31",
            crc: "e5ed9b5e",
        }),
        classic: Some(Packet {
            length: 207,
            sha256: "6755aeb4022853c6975076dae5836049064e77e1265c2aac6b31f5816343557f",
            bytes: b">>>\nt=status\nst=active\ndt=7530\nprotocol=1\nsrc=alice\n(1)srcuuid=ABEiM0RVZneImaq7zN3\
          u/w==\nseq=1f\nhg=66112233\nts=66112a40\nld=0.00 0.01 0.05 1/123 4567\nttl=3\nauth=1 2b9\
          9a79751e7d7edd4e7b7df4d9e221d2c716b18\n<<<\n\x00",
        }),
        with_inner_auth: Some(Packet {
            length: 311,
            sha256: "836921282ac887dbea30c09b4aeab011ad7e9fb86de0886196adde2a2d20a3eb",
            bytes: b"###\n11:(0)t=status,12:(0)st=active,10:(0)dt=7530,13:(0)protocol=1,12:(0)src=alice,27:(1\
          )srcuuid=\x00\x11\"3DUfw\x88\x99\xaa\xbb\xcc\xdd\xee\xff,9:(0)seq=1f,14:(0)hg=66112233,1\
          4:(0)ts=66112a40,31:(0)ld=0.00 0.01 0.05 1/123 4567,8:(0)ttl=3,50:(0)auth=1 2b99a79751e7\
          d7edd4e7b7df4d9e221d2c716b18,%%%\n42:1 134499c30d6e23c587723288874fb8f1de11486c,",
        }),
        netstring: Some(Packet {
            length: 257,
            sha256: "bfd321027fac32c2d12c031e59d8050da41b631743aabc0130bfdb437c53c42f",
            bytes: b"###\n11:(0)t=status,12:(0)st=active,10:(0)dt=7530,13:(0)protocol=1,12:(0)src=alice,27:(1\
          )srcuuid=\x00\x11\"3DUfw\x88\x99\xaa\xbb\xcc\xdd\xee\xff,9:(0)seq=1f,14:(0)hg=66112233,1\
          4:(0)ts=66112a40,31:(0)ld=0.00 0.01 0.05 1/123 4567,8:(0)ttl=3,%%%\n42:1 abb9f278c6bb548\
          bb7fbfd62ede57e308007674a,",
        }),
    },
    Vector {
        name: "V2",
        message: v2,
        body: Some(Digests {
            length: 153,
            sha1: "cab049c49137b5b9d5c1f5decc2edb71ecd93c08",
            md5: "b1d0611eb44660cff5753d6b01a2071d",
            crc: "146db25e",
        }),
        trailer: Some(Digests {
            length: 254,
            sha1: "2c3e8cb82a1532ece67506d50b83eba507f9a6eb",
            md5: "8a74f642ca882d065098c0b25d79e91c",
            crc: "7aa6d2fd",
        }),
        classic: Some(Packet {
            length: 210,
            sha256: "863f3bfd0175a87c68506a93c02f899ef394d17cfd6dc72cf789f18d4c1dbedc",
            bytes: b">>>\nt=ask_resources\nrsc_hold=foreign\ninfo=me\nsrc=alice\n(1)srcuuid=ABEiM0RVZneImaq7z\
          N3u/w==\nseq=20\nhg=66112233\nts=66112a40\nld=0.00 0.01 0.05 1/123 4567\nttl=3\nauth=1 c\
          ab049c49137b5b9d5c1f5decc2edb71ecd93c08\n<<<\n\x00",
        }),
        with_inner_auth: Some(Packet {
            length: 308,
            sha256: "3db4981ee83de0ebc517e3d8128b3c8b171da43bd133bc287e8857f8ac10e71b",
            bytes: b"###\n18:(0)t=ask_resources,19:(0)rsc_hold=foreign,10:(0)info=me,12:(0)src=alice,27:(1)sr\
          cuuid=\x00\x11\"3DUfw\x88\x99\xaa\xbb\xcc\xdd\xee\xff,9:(0)seq=20,14:(0)hg=66112233,14:(\
          0)ts=66112a40,31:(0)ld=0.00 0.01 0.05 1/123 4567,8:(0)ttl=3,50:(0)auth=1 cab049c49137b5b\
          9d5c1f5decc2edb71ecd93c08,%%%\n42:1 91aeef694041075185e29d6c9ec5b4b4fedb51a0,",
        }),
        netstring: Some(Packet {
            length: 254,
            sha256: "6071f32b3dd6ff0a86caf3499c10edfb6691fa0de9cdbfdae51a87788df8a3e4",
            bytes: b"###\n18:(0)t=ask_resources,19:(0)rsc_hold=foreign,10:(0)info=me,12:(0)src=alice,27:(1)sr\
          cuuid=\x00\x11\"3DUfw\x88\x99\xaa\xbb\xcc\xdd\xee\xff,9:(0)seq=20,14:(0)hg=66112233,14:(\
          0)ts=66112a40,31:(0)ld=0.00 0.01 0.05 1/123 4567,8:(0)ttl=3,%%%\n42:1 2c3e8cb82a1532ece6\
          7506d50b83eba507f9a6eb,",
        }),
    },
    Vector {
        name: "V3",
        message: v3,
        body: Some(Digests {
            length: 144,
            sha1: "a6b437131df0c1f1fff98c7cc3e5b4d32a9a6431",
            md5: "7fe0073bd4f8dec5c7786b557588798d",
            crc: "c13b1234",
        }),
        trailer: Some(Digests {
            length: 229,
            sha1: "7d6fb4b4e6daddd47a6736108655a89eab293091",
            md5: "453c8f4591d0b615224e5938964e0fde",
            crc: "568032cf",
        }),
        classic: Some(Packet {
            length: 201,
            sha256: "24c38f2894b0b6dbe89a5f2d6a1ee1e2c06596ff3d0eb1e27c755b7e6ff265e6",
            bytes: b">>>\nt=NS_ackmsg\ndest=bob\nackseq=1a\n(1)destuuid=Dx4tPEtaaXiHlqW0w9Lh8A==\nsrc=alice\n\
          (1)srcuuid=ABEiM0RVZneImaq7zN3u/w==\nhg=66112233\nts=66112a40\nttl=3\nauth=1 a6b437131df\
          0c1f1fff98c7cc3e5b4d32a9a6431\n<<<\n\x00",
        }),
        with_inner_auth: Some(Packet {
            length: 283,
            sha256: "f84f2a44b4abea1ad09cb6d6f44b01c4b188fc50c2e131559be34251ca937a62",
            bytes: b"###\n14:(0)t=NS_ackmsg,11:(0)dest=bob,12:(0)ackseq=1a,28:(1)destuuid=\x0f\x1e-<KZix\x87\
          \x96\xa5\xb4\xc3\xd2\xe1\xf0,12:(0)src=alice,27:(1)srcuuid=\x00\x11\"3DUfw\x88\x99\xaa\
          \xbb\xcc\xdd\xee\xff,14:(0)hg=66112233,14:(0)ts=66112a40,8:(0)ttl=3,50:(0)auth=1 a6b4371\
          31df0c1f1fff98c7cc3e5b4d32a9a6431,%%%\n42:1 becf973a6783afd33bcb82ea4f00654d38de0e46,",
        }),
        netstring: Some(Packet {
            length: 229,
            sha256: "39135aa70d9c1685b18963794a99f373b52f6b559c4264526569d8781ad19ee5",
            bytes: b"###\n14:(0)t=NS_ackmsg,11:(0)dest=bob,12:(0)ackseq=1a,28:(1)destuuid=\x0f\x1e-<KZix\x87\
          \x96\xa5\xb4\xc3\xd2\xe1\xf0,12:(0)src=alice,27:(1)srcuuid=\x00\x11\"3DUfw\x88\x99\xaa\
          \xbb\xcc\xdd\xee\xff,14:(0)hg=66112233,14:(0)ts=66112a40,8:(0)ttl=3,%%%\n42:1 7d6fb4b4e6\
          daddd47a6736108655a89eab293091,",
        }),
    },
    Vector {
        name: "V4",
        message: v4,
        body: Some(Digests {
            length: 158,
            sha1: "feeaa62059297b3459581923e305b66fcea3f633",
            md5: "149944ee5941d7cef1946c46a32e0716",
            crc: "75328229",
        }),
        trailer: Some(Digests {
            length: 265,
            sha1: "27c4010881ef83961b43a39bdc1402195d1c03f6",
            md5: "33ce29e4d773853b0ff81188f6c18433",
            crc: "1d0392fb",
        }),
        classic: None,
        with_inner_auth: Some(Packet {
            length: 319,
            sha256: "e49f3a4db9360b3c6c7737e24ab1fb1fbb051e92d725e30409dbfa1e67e63c39",
            bytes: b"###\n13:(0)t=resource,15:(0)rsc_hold=all,13:(0)rtype=full,13:(0)isstable=1,12:(0)src=ali\
          ce,27:(1)srcuuid=\x00\x11\"3DUfw\x88\x99\xaa\xbb\xcc\xdd\xee\xff,9:(0)seq=21,14:(0)hg=66\
          112233,14:(0)ts=66112a40,31:(0)ld=0.00 0.01 0.05 1/123 4567,8:(0)ttl=3,50:(0)auth=1 feea\
          a62059297b3459581923e305b66fcea3f633,%%%\n42:1 2d942e8d59c3a2864bfcf90e1d46eecdd833228f,",
        }),
        netstring: Some(Packet {
            length: 265,
            sha256: "426ab61a01482181e05052883300d9d1106fcb0253c6aff84f82b8e45a76a845",
            bytes: b"",
        }),
    },
    Vector {
        name: "V5",
        message: v5,
        body: Some(Digests {
            length: 52,
            sha1: "7a33cafcd7afaa1728be173a40b7ac4263e60826",
            md5: "62fc379a0f596d841b1da65a2cb79d73",
            crc: "ed0d2ef0",
        }),
        trailer: None,
        classic: None,
        with_inner_auth: Some(Packet {
            length: 190,
            sha256: "67d209158f3811c4724976decdb3e519771a898ac97f1eb5e12991bf54f8d3d9",
            bytes: b"###\n10:(0)t=NS_st,10:(0)st=ping,12:(0)info=ping,16:(0)src=192.0.2.1,14:(0)ts=66112a40,5\
          0:(0)auth=1 7a33cafcd7afaa1728be173a40b7ac4263e60826,%%%\n42:1 1841323001996df8447848085\
          52561280b95d1a6,",
        }),
        netstring: None,
    },
    Vector {
        name: "V6",
        message: v6,
        body: None,
        trailer: Some(Digests {
            length: 248,
            sha1: "f7672e3f811a2a647a64ff74c5da771f8e409d71",
            md5: "68a3f5b6c351d866dafcde5285bcd2c2",
            crc: "ad3baffe",
        }),
        classic: None,
        with_inner_auth: None,
        netstring: Some(Packet {
            length: 248,
            sha256: "43b13a78079fd4a876e62a1b3f96b8c42e10acc62ef554480c380483f2be8814",
            bytes: b"###\n14:(0)t=NS_rexmit,11:(0)dest=bob,14:(0)firstseq=26,13:(0)lastseq=26,28:(1)destuuid=\
          \x0f\x1e-<KZix\x87\x96\xa5\xb4\xc3\xd2\xe1\xf0,12:(0)src=alice,27:(1)srcuuid=\x00\x11\"3\
          DUfw\x88\x99\xaa\xbb\xcc\xdd\xee\xff,14:(0)hg=66112233,14:(0)ts=66112a40,8:(0)ttl=3,%%%\
          \n42:1 f7672e3f811a2a647a64ff74c5da771f8e409d71,",
        }),
    },
    Vector {
        name: "V7",
        message: v7,
        body: None,
        trailer: Some(Digests {
            length: 305,
            sha1: "69c054af69cf7b4a00101d0d00b2f03d1350861b",
            md5: "0409c429926f3d3be0b297f057ef9a0f",
            crc: "98edc3de",
        }),
        classic: None,
        with_inner_auth: None,
        netstring: Some(Packet {
            length: 305,
            sha256: "7a48c885cec72511fcc6131d1c2e62cbc133506f4421f24aec9425874743cb16",
            bytes: b"###\n11:(0)dest=bob,13:(0)t=repnodes,22:(0)nodelist=alice bob ,16:(0)delnodelist= ,28:(1\
          )destuuid=\x0f\x1e-<KZix\x87\x96\xa5\xb4\xc3\xd2\xe1\xf0,12:(0)src=alice,27:(1)srcuuid=\
          \x00\x11\"3DUfw\x88\x99\xaa\xbb\xcc\xdd\xee\xff,9:(0)seq=22,14:(0)hg=66112233,14:(0)ts=6\
          6112a40,31:(0)ld=0.00 0.01 0.05 1/123 4567,8:(0)ttl=3,%%%\n42:1 69c054af69cf7b4a00101d0d\
          00b2f03d1350861b,",
        }),
    },
];

const V1_NETSTRING_HEX: &str = "\
     2323230a31313a283029743d7374617475732c31323a28302973743d6163746976652c31303a28302964743d373533302c31\
     333a28302970726f746f636f6c3d312c31323a2830297372633d616c6963652c32373a283129737263757569643d00112233\
     445566778899aabbccddeeff2c393a2830297365713d31662c31343a28302968673d36363131323233332c31343a28302974\
     733d36363131326134302c33313a2830296c643d302e303020302e303120302e303520312f31323320343536372c383a2830\
     2974746c3d332c2525250a34323a312061626239663237386336626235343862623766626664363265646535376533303830\
     3037363734612c";

const V3_NETSTRING_HEX: &str = "\
     2323230a31343a283029743d4e535f61636b6d73672c31313a283029646573743d626f622c31323a28302961636b7365713d\
     31612c32383a28312964657374757569643d0f1e2d3c4b5a69788796a5b4c3d2e1f02c31323a2830297372633d616c696365\
     2c32373a283129737263757569643d00112233445566778899aabbccddeeff2c31343a28302968673d36363131323233332c\
     31343a28302974733d36363131326134302c383a28302974746c3d332c2525250a34323a3120376436666234623465366461\
     646464343761363733363130383635356138396561623239333039312c";
