//! Writes down what the kernel answers, byte by byte, and what ipvsadm makes of the same table.
//!
//! Uses a plain socket, not the client, so that the bytes owe nothing to the code they test. A word
//! in front of each line tells what the message is; a real server belongs to the service above it.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::path::Path;

use socket2::{Domain, Protocol, Socket, Type};

use crate::bed::ipvsadm;

const REQUEST: u16 = 1;
const DUMP: u16 = 0x300;
const CONTROLLER: u16 = 0x10;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// nlmsghdr and genlmsghdr.
const HEADERS: usize = 16 + 4;
/// No piece of a dump is larger.
const DATAGRAM_BYTES: usize = 64 * 1024;

/// Writes the golden files if LAB_GOLDEN names a directory.
pub(crate) fn capture_if_asked() {
    let Some(directory) = std::env::var_os("LAB_GOLDEN") else {
        return;
    };
    let directory = Path::new(&directory);
    let write = |name: &str, text: &str| std::fs::write(directory.join(name), text).unwrap();
    write("kernel.hex", &kernel());
    write("listing.txt", &ipvsadm("-Ln"));
    write("thresholds.txt", &ipvsadm("-Ln --thresholds"));
    write("stats.txt", &ipvsadm("-Ln --stats"));
    write("saved.txt", &ipvsadm("-Sn"));
    write("timeouts.txt", &ipvsadm("-L --timeout"));
    // A table of mixed address families and synchronisation exclude each other.
    ipvsadm("-C");
    ipvsadm("--start-daemon master --mcast-interface lab0");
    ipvsadm(
        "--start-daemon backup --mcast-interface lab0 --syncid 7 --mcast-group 239.1.1.1 --mcast-port 9000",
    );
    write(
        "daemons.hex",
        &lines("daemon", &Raw::open().ask(11, DUMP, &[])),
    );
    write("daemons.txt", &ipvsadm("-L --daemon"));
    ipvsadm("--stop-daemon master");
    ipvsadm("--stop-daemon backup");
}

fn kernel() -> String {
    let mut raw = Raw::open();
    let mut text = lines("info", &raw.ask(15, 0, &[]));
    text += &lines("timeouts", &raw.ask(13, 0, &[]));
    for service in raw.ask(4, DUMP, &[]) {
        text += &lines("service", std::slice::from_ref(&service));
        // The answer about a service identifies it: the kernel ignores the rest of it.
        text += &lines("real", &raw.ask(8, DUMP, &service));
    }
    text
}

fn lines(word: &str, messages: &[Vec<u8>]) -> String {
    let mut text = String::new();
    for message in messages {
        write!(text, "{word} ").unwrap();
        for byte in message {
            write!(text, "{byte:02x}").unwrap();
        }
        text.push('\n');
    }
    text
}

/// A blocking netlink socket.
struct Raw {
    socket: Socket,
    family: u16,
}

impl Raw {
    fn open() -> Self {
        // Without an address, netlink sends to the kernel.
        let domain = Domain::from(libc::AF_NETLINK);
        let protocol = Protocol::from(libc::NETLINK_GENERIC);
        let socket = Socket::new(domain, Type::RAW, Some(protocol)).unwrap();
        let mut raw = Self {
            socket,
            family: CONTROLLER,
        };
        let name = [
            &9_u16.to_ne_bytes()[..],
            &2_u16.to_ne_bytes(),
            b"IPVS\0\0\0\0",
        ]
        .concat();
        let reply = raw.ask(3, 0, &name).remove(0);
        // The first attributes are the name (12 bytes) and the number.
        let at = reply
            .windows(4)
            .position(|header| header == [6, 0, 1, 0])
            .unwrap()
            + 4;
        raw.family = u16::from_ne_bytes(reply[at..at + 2].try_into().unwrap());
        raw
    }

    /// The attributes of each message of an answer.
    fn ask(&mut self, command: u8, flags: u16, attributes: &[u8]) -> Vec<Vec<u8>> {
        let length = u32::try_from(HEADERS + attributes.len()).unwrap();
        let mut request = length.to_ne_bytes().to_vec();
        request.extend_from_slice(&self.family.to_ne_bytes());
        request.extend_from_slice(&(REQUEST | flags).to_ne_bytes());
        request.extend_from_slice(&[0; 8]);
        request.extend_from_slice(&[command, 1, 0, 0]);
        request.extend_from_slice(attributes);
        self.socket.write_all(&request).unwrap();
        let mut datagram = vec![0; DATAGRAM_BYTES];
        let mut messages = Vec::new();
        loop {
            let length = self.socket.read(&mut datagram).unwrap();
            let mut rest = &datagram[..length];
            while let Some((message, next)) = split(rest) {
                match u16::from_ne_bytes([message[4], message[5]]) {
                    NLMSG_DONE => return messages,
                    NLMSG_ERROR => panic!("command {command}: {message:?}"),
                    _ => messages.push(message[HEADERS..].to_vec()),
                }
                rest = next;
            }
            if flags & DUMP == 0 {
                return messages;
            }
        }
    }
}

fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = u32::from_ne_bytes(*bytes.first_chunk::<4>()?) as usize;
    let message = bytes.get(..length)?;
    Some((
        message,
        bytes.get(length.next_multiple_of(4)..).unwrap_or_default(),
    ))
}
