//! Events of the kernel (`perf_event_open(2)`), written by it into rings of memory, one for each CPU.
//!
//! Knows nothing of what an event means. Invariant: a record is handed over whole, once, and its room is given back only
//! after that; what the kernel had no room for it counts itself, in a record of its own.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

/// Bytes of the description of an event, version 5 of it.
const DESCRIPTION_BYTES: usize = 112;
/// Where the kernel says how far it has written and we how far we have read.
const HEAD_AT: usize = 1024;
const TAIL_AT: usize = 1032;
/// Bytes in front of every record: kind, flags, length.
const RECORD_HEAD_BYTES: usize = 8;
/// PERF_SAMPLE_TID and PERF_SAMPLE_TIME, and PERF_SAMPLE_RAW.
const WITH_THREAD_AND_TIME: u64 = 0x2 | 0x4;
const WITH_FIELDS: u64 = 0x400;
/// Flags of a description: wake-ups by bytes, starts and ends of processes, names of programs, which of them are of a new
/// program, who and when on every record, and our choice of clock.
const BY_BYTES: u64 = 1 << 14;
const PROCESSES: u64 = 1 << 13;
const NAMES: u64 = 1 << 9;
const NAMES_OF_NEW_PROGRAMS: u64 = 1 << 24;
const ON_EVERY_RECORD: u64 = 1 << 18;
const OWN_CLOCK: u64 = 1 << 25;
/// PERF_TYPE_TRACEPOINT; PERF_TYPE_SOFTWARE and of these the one that never happens.
const TRACEPOINT: u32 = 2;
const SOFTWARE: u32 = 1;
const NOTHING: u64 = 9;
/// PERF_FLAG_FD_CLOEXEC.
const CLOSE_ON_EXEC: libc::c_ulong = 8;
/// PERF_EVENT_IOC_SET_FILTER.
const SET_FILTER: u32 = 0x4008_2406;

/// What is to be told.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// The tracepoint with this number, where its fields pass the filter.
    Tracepoint(u64, &'a str),
    /// Starts and ends of processes, and of programs in them.
    Programs,
}

/// One record.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// PERF_RECORD_…
    pub kind: u32,
    /// What the kernel adds to the kind.
    pub flags: u16,
    /// All that follows.
    pub content: &'a [u8],
}

/// Rings of memory, one for each CPU.
#[derive(Debug)]
pub struct Rings {
    all: Vec<Ring>,
    /// A record that lies across the end of its ring is put together here.
    piece: Vec<u8>,
}

#[derive(Debug)]
struct Ring {
    event: OwnedFd,
    memory: NonNull<u8>,
    page_bytes: usize,
    data_bytes: usize,
}

// SAFETY: the memory belongs to the ring alone, and is read and given back through `&mut` only.
unsafe impl Send for Ring {}

impl Rings {
    /// Begins to listen on all of `cpus`. `pages`: memory of each ring, a power of two.
    pub fn open(wanted: Wanted<'_>, cpus: &[u32], pages: usize) -> io::Result<Self> {
        let all = cpus.iter().map(|cpu| Ring::open(wanted, *cpu, pages)).collect::<io::Result<_>>()?;
        Ok(Self { all, piece: Vec::new() })
    }

    /// Hands over what the kernel has written so far, ring by ring.
    pub fn take(&mut self, each: &mut dyn FnMut(Record<'_>)) {
        for ring in &mut self.all {
            ring.take(&mut self.piece, each);
        }
    }

    /// What to wait on; valid as long as the rings.
    pub fn descriptors(&self) -> impl Iterator<Item = RawFd> {
        self.all.iter().map(|ring| ring.event.as_raw_fd())
    }
}

impl Ring {
    fn open(wanted: Wanted<'_>, cpu: u32, pages: usize) -> io::Result<Self> {
        let page_bytes = super::page_bytes();
        let data_bytes = pages * page_bytes;
        let description = describe(wanted, data_bytes / 4);
        let cpu = libc::c_int::try_from(cpu).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: the description is as long as it says, and the kernel only reads it.
        let event = unsafe {
            libc::syscall(libc::SYS_perf_event_open, description.as_ptr(), -1, cpu, -1, CLOSE_ON_EXEC)
        };
        let event = libc::c_int::try_from(event).map_err(|_| io::ErrorKind::InvalidData)?;
        if event < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call succeeded, so this is an open descriptor that nobody else has.
        let event = unsafe { OwnedFd::from_raw_fd(event) };
        if let Wanted::Tracepoint(_, filter) = wanted {
            let filter = std::ffi::CString::new(filter).map_err(|_| io::ErrorKind::InvalidInput)?;
            // SAFETY: the filter is a string with its end marked, and the kernel copies it.
            if unsafe { libc::ioctl(event.as_raw_fd(), SET_FILTER as _, filter.as_ptr()) } != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        // SAFETY: a new mapping of the event's own memory; the kernel chooses where.
        let memory = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                page_bytes + data_bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                event.as_raw_fd(),
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let memory = NonNull::new(memory.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { event, memory, page_bytes, data_bytes })
    }

    fn take(&mut self, piece: &mut Vec<u8>, each: &mut dyn FnMut(Record<'_>)) {
        // SAFETY: the first page of the mapping holds these two numbers, aligned, for as long as it is mapped; the kernel
        // and we go by them as by atomics.
        let (head, tail) = unsafe {
            let number = |at: usize| AtomicU64::from_ptr(self.memory.as_ptr().add(at).cast::<u64>());
            (number(HEAD_AT), number(TAIL_AT))
        };
        let written = head.load(Ordering::Acquire);
        let mut read = tail.load(Ordering::Relaxed);
        // SAFETY: the data are mapped behind the first page; what lies between `read` and `written` the kernel leaves alone
        // until `tail` passes it, which happens below, when nothing borrows it any more.
        let data =
            unsafe { std::slice::from_raw_parts(self.memory.as_ptr().add(self.page_bytes), self.data_bytes) };
        while read < written {
            copy(data, read, RECORD_HEAD_BYTES, piece);
            let length = usize::from(u16::from_ne_bytes([piece[6], piece[7]]));
            if length < RECORD_HEAD_BYTES {
                break;
            }
            let kind = u32::from_ne_bytes([piece[0], piece[1], piece[2], piece[3]]);
            let flags = u16::from_ne_bytes([piece[4], piece[5]]);
            copy(data, read, length, piece);
            each(Record { kind, flags, content: &piece[RECORD_HEAD_BYTES..] });
            read += u64::try_from(length).unwrap_or(0);
        }
        tail.store(written, Ordering::Release);
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, of this length, and nothing points into it after this.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), self.page_bytes + self.data_bytes) };
    }
}

/// Copies what may lie across the end of the ring.
fn copy(data: &[u8], at: u64, length: usize, piece: &mut Vec<u8>) {
    let bytes = u64::try_from(data.len()).unwrap_or(u64::MAX);
    let begin = usize::try_from(at % bytes).unwrap_or(0);
    let first = length.min(data.len() - begin);
    piece.clear();
    piece.extend_from_slice(&data[begin..begin + first]);
    piece.extend_from_slice(&data[..length - first]);
}

fn describe(wanted: Wanted<'_>, wake_after: usize) -> [u8; DESCRIPTION_BYTES] {
    let (kind, config, period, fields, flags) = match wanted {
        Wanted::Tracepoint(id, _) => (TRACEPOINT, id, 1, WITH_THREAD_AND_TIME | WITH_FIELDS, 0),
        Wanted::Programs => (
            SOFTWARE,
            NOTHING,
            0,
            WITH_THREAD_AND_TIME,
            PROCESSES | NAMES | NAMES_OF_NEW_PROGRAMS | ON_EVERY_RECORD,
        ),
    };
    let mut bytes = [0; DESCRIPTION_BYTES];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, &kind.to_ne_bytes());
    put(4, &u32::try_from(DESCRIPTION_BYTES).unwrap_or(0).to_ne_bytes());
    put(8, &u64::to_ne_bytes(config));
    put(16, &u64::to_ne_bytes(period));
    put(24, &fields.to_ne_bytes());
    put(40, &(flags | BY_BYTES | OWN_CLOCK).to_ne_bytes());
    put(48, &u32::try_from(wake_after).unwrap_or(u32::MAX).to_ne_bytes());
    put(92, &libc::CLOCK_MONOTONIC.to_ne_bytes());
    bytes
}

/// Waits until one of the descriptors has something, or the time is over.
pub fn wait(descriptors: &[RawFd], longest: Duration) {
    let mut all: Vec<libc::pollfd> =
        descriptors.iter().map(|fd| libc::pollfd { fd: *fd, events: libc::POLLIN, revents: 0 }).collect();
    let count = libc::nfds_t::try_from(all.len()).unwrap_or(0);
    let longest = libc::c_int::try_from(longest.as_millis()).unwrap_or(libc::c_int::MAX);
    // SAFETY: the list is as long as said. One that was closed meanwhile is answered as such.
    unsafe { libc::poll(all.as_mut_ptr(), count, longest) };
}

/// Nanoseconds on the clock of the events, and on the one by which processes are said to have started.
pub fn clocks_ns() -> (u64, u64) {
    let now = |clock| {
        let time = rustix::time::clock_gettime(clock);
        let part = |number: i64| u64::try_from(number).unwrap_or(0);
        part(time.tv_sec) * 1_000_000_000 + part(time.tv_nsec)
    };
    (now(rustix::time::ClockId::Monotonic), now(rustix::time::ClockId::Boottime))
}

/// The kernel's tracing files, where nobody has mounted them: seen through what is returned, and by nobody else.
pub fn unmounted_tracefs() -> io::Result<OwnedFd> {
    let files = fsopen("tracefs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&files)?;
    Ok(fsmount(&files, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_across_the_end_of_its_ring_is_put_together() {
        let ring = [1, 2, 3, 4, 5, 6, 7, 8];
        let mut piece = Vec::new();
        for (at, length, expected) in
            [(0, 3, vec![1, 2, 3]), (6, 4, vec![7, 8, 1, 2]), (14, 2, vec![7, 8]), (8, 8, ring.to_vec())]
        {
            copy(&ring, at, length, &mut piece);
            assert_eq!(piece, expected, "{at} {length}");
        }
    }

    #[test]
    fn a_description_says_how_long_it_is() {
        let bytes = describe(Wanted::Tracepoint(2287, ""), 4096);
        assert_eq!(bytes[4..8], 112u32.to_ne_bytes());
        assert_eq!(bytes[8..16], 2287u64.to_ne_bytes());
        assert_eq!(bytes[48..52], 4096u32.to_ne_bytes());
    }
}
