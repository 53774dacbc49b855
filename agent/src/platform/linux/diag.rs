//! The sockets of this network namespace, asked for over netlink (`sock_diag(7)`): one walk through the kernel's table,
//! where `/proc/net` finds its place anew for every 4 KB.
//!
//! Needs no privilege. The kernel may have no module for it, and a sandbox may refuse it: then this is an error, and
//! whoever asks reads `/proc` instead.

use std::io;
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

use super::super::{Family, Transport};

/// The kernel fills at most so much at once.
const PIECE_BYTES: usize = 32 << 10;
/// The kernel answers at once; this is for one that does not.
const WAIT_MAX: Duration = Duration::from_secs(2);
/// Bytes of a `nlmsghdr`, of an `inet_diag_req_v2` and of an `inet_diag_msg`.
const HEAD_BYTES: usize = 16;
const REQUEST_BYTES: usize = 56;
const RECORD_BYTES: usize = 72;
pub(super) const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// NLM_F_REQUEST and NLM_F_DUMP.
const FLAGS: u16 = 0x1 | 0x300;
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// All states but that of a connection that is over and only waits (6): it has no owner, and there may be many.
const STATES: u32 = !(1 << 6);

/// Hands over the `inet_diag_msg` of each socket, at most `count_max`. After an error, what was handed over is not all.
pub fn internet_sockets(
    family: Family,
    transport: Transport,
    count_max: usize,
    each: &mut dyn FnMut(&[u8]),
) -> io::Result<()> {
    let kernel = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )?;
    set_socket_timeout(&kernel, Timeout::Recv, Some(WAIT_MAX))?;
    send(&kernel, &request(family, transport), SendFlags::empty())?;
    let mut piece = vec![0; PIECE_BYTES];
    let mut left = count_max;
    loop {
        let length = received(&kernel, &mut piece)?;
        let mut rest = &piece[..length];
        while let Some(message) = next_message(&mut rest)? {
            match message.kind {
                DONE => return Ok(()),
                ERROR => return Err(refused(message.payload)),
                SOCK_DIAG_BY_FAMILY => {
                    if left == 0 {
                        return Ok(());
                    }
                    left -= 1;
                    each(message.payload.get(..RECORD_BYTES).ok_or(io::ErrorKind::InvalidData)?);
                }
                _ => {}
            }
        }
    }
}

fn received(kernel: &OwnedFd, piece: &mut [u8]) -> io::Result<usize> {
    loop {
        match recv(kernel, &mut *piece, RecvFlags::empty()) {
            // An empty message or one that did not fit: there is no telling what was in it.
            Ok((_, length)) if length == 0 || length > piece.len() => {
                return Err(io::ErrorKind::InvalidData.into());
            }
            Ok((_, length)) => return Ok(length),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn request(family: Family, transport: Transport) -> [u8; HEAD_BYTES + REQUEST_BYTES] {
    let mut bytes = [0; HEAD_BYTES + REQUEST_BYTES];
    let length = u32::try_from(bytes.len()).expect("a short message");
    bytes[0..4].copy_from_slice(&length.to_ne_bytes());
    bytes[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes[6..8].copy_from_slice(&FLAGS.to_ne_bytes());
    // Family, protocol, no extensions, states; of which end is left open.
    bytes[16] = match family {
        Family::V4 => 2,
        Family::V6 => 10,
    };
    bytes[17] = match transport {
        Transport::Tcp => 6,
        Transport::Udp => 17,
    };
    bytes[20..24].copy_from_slice(&STATES.to_ne_bytes());
    bytes
}

pub(super) struct Message<'a> {
    pub(super) kind: u16,
    pub(super) payload: &'a [u8],
}

/// The next message of a piece; messages begin at multiples of four.
pub(super) fn next_message<'a>(rest: &mut &'a [u8]) -> io::Result<Option<Message<'a>>> {
    if rest.is_empty() {
        return Ok(None);
    }
    let broken = || io::Error::from(io::ErrorKind::InvalidData);
    let head = rest.first_chunk::<HEAD_BYTES>().ok_or_else(broken)?;
    let length = u32::from_ne_bytes([head[0], head[1], head[2], head[3]]);
    let length = usize::try_from(length).map_err(|_| broken())?;
    let payload = rest.get(HEAD_BYTES..length).ok_or_else(broken)?;
    *rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    Ok(Some(Message { kind: u16::from_ne_bytes([head[4], head[5]]), payload }))
}

/// A negative number of the system's, and what it is about.
fn refused(payload: &[u8]) -> io::Error {
    match payload.first_chunk::<4>() {
        Some(number) => io::Error::from_raw_os_error(i32::from_ne_bytes(*number).saturating_neg()),
        None => io::ErrorKind::InvalidData.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(HEAD_BYTES + payload.len()).unwrap().to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn kinds(bytes: &[u8]) -> io::Result<Vec<(u16, usize)>> {
        let (mut rest, mut found) = (bytes, Vec::new());
        while let Some(message) = next_message(&mut rest)? {
            found.push((message.kind, message.payload.len()));
        }
        Ok(found)
    }

    #[test]
    fn messages_follow_one_another() {
        let bytes = [message(20, &[1; 72]), message(20, &[2; 5]), message(3, &[0; 4])].concat();
        assert_eq!(kinds(&bytes).unwrap(), [(20, 72), (20, 5), (3, 4)]);
        assert_eq!(kinds(&[]).unwrap(), []);
    }

    #[test]
    fn broken_messages_are_refused() {
        let whole = message(20, &[1; 72]);
        for bytes in [&whole[..3], &whole[..15], &whole[..60], &[0; 16], &[0xff; 64]] {
            assert!(kinds(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_refusal_is_the_systems() {
        assert_eq!(refused(&(-2i32).to_ne_bytes()).kind(), io::ErrorKind::NotFound);
        assert_eq!(refused(&[1]).kind(), io::ErrorKind::InvalidData);
        assert!(refused(&i32::MIN.to_ne_bytes()).raw_os_error().is_some());
    }
}
