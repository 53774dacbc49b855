//! Sockets of this network that end, as the kernel tells whoever listens (`sock_diag(7)`, the groups of destroyed TCP
//! sockets). Needs no privilege.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, netlink, recv, socket_with};

use super::diag::{SOCK_DIAG_BY_FAMILY, next_message};

/// SKNLGRP_INET_TCP_DESTROY and SKNLGRP_INET6_TCP_DESTROY.
const GROUPS: u32 = 1 << 0 | 1 << 2;
/// One message is far smaller.
const PIECE_BYTES: usize = 8 << 10;
/// The most messages that are taken at once.
const MESSAGES_MAX: usize = 100_000;

/// A place where the kernel tells of endings.
#[derive(Debug)]
pub struct Endings {
    kernel: OwnedFd,
    piece: Vec<u8>,
}

impl Endings {
    /// Begins to listen.
    pub fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let kernel = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(netlink::SOCK_DIAG))?;
        bind(&kernel, &SocketAddrNetlink::new(0, GROUPS))?;
        Ok(Self { kernel, piece: vec![0; PIECE_BYTES] })
    }

    /// Hands over the `inet_diag_msg` of each socket that ended, with what the kernel adds. How often it had no room to tell.
    pub fn take(&mut self, each: &mut dyn FnMut(&[u8])) -> u64 {
        let mut lost = 0;
        for _ in 0..MESSAGES_MAX {
            match recv(&self.kernel, self.piece.as_mut_slice(), RecvFlags::empty()) {
                Ok((length, _)) if length > 0 => {
                    let mut rest = &self.piece[..length];
                    while let Ok(Some(message)) = next_message(&mut rest) {
                        if message.kind == SOCK_DIAG_BY_FAMILY {
                            each(message.payload);
                        }
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::NOBUFS) => lost += 1,
                Ok(_) | Err(_) => break,
            }
        }
        lost
    }

    /// What to wait on.
    pub fn descriptor(&self) -> RawFd {
        self.kernel.as_raw_fd()
    }
}
