//! The tracepoint `sock:inet_sock_set_state`: a socket of the internet protocols goes from one state to another.
//!
//! Where its fields lie, the kernel says in a file. Pure: given texts and bytes. Invariant: what is too short, or not as the
//! file says, gives nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Where the file lies below the kernel's tracing files.
pub const DIRECTORY: &str = "events/sock/inet_sock_set_state";
/// What the kernel is to tell of: TCP that asks to be connected, and what became of that.
pub const FILTER: &str = "protocol == 6 && (newstate == 2 || oldstate == 2)";
/// TCP_ESTABLISHED, TCP_SYN_SENT, TCP_SYN_RECV.
pub const ESTABLISHED: u64 = 1;
/// A connection is asked for: in the context of whoever asks.
pub const ASKED: u64 = 2;
/// Both ends asked at once.
pub const BOTH_ASKED: u64 = 3;
/// Bytes before the fields: process, thread, time, length.
const SAMPLE_HEAD_BYTES: usize = 20;
const INTERNET_6: u64 = 10;

/// Where a field lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Field {
    offset: usize,
    bytes: usize,
}

/// The number of the tracepoint, and where its fields lie.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Format {
    /// By which it is asked for.
    pub id: u64,
    socket: Field,
    from: Field,
    to: Field,
    local_port: Field,
    remote_port: Field,
    family: Field,
    local_4: Field,
    remote_4: Field,
    local_6: Field,
    remote_6: Field,
}

/// A socket went from one state to another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// On the clock of the events.
    pub at_ns: u64,
    /// The process in whose context it happened.
    pub pid: u32,
    /// What tells the socket from others while it lives.
    pub socket: u64,
    /// State before.
    pub from: u64,
    /// State after.
    pub to: u64,
    /// This end; its port may not be chosen yet.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
}

impl Format {
    /// From the file `format`: `ID: 7` and lines of `field:int oldstate; offset:16; size:4; signed:1;`.
    pub fn parse(text: &str) -> Option<Self> {
        let id = text.lines().find_map(|line| line.strip_prefix("ID:"))?.trim().parse().ok()?;
        let field = |name: &str| text.lines().find_map(|line| parse_field(line, name));
        // Without it the filter would be refused.
        field("protocol")?;
        Some(Self {
            id,
            socket: field("skaddr")?,
            from: field("oldstate")?,
            to: field("newstate")?,
            local_port: field("sport")?,
            remote_port: field("dport")?,
            family: field("family")?,
            local_4: field("saddr")?,
            remote_4: field("daddr")?,
            local_6: field("saddr_v6")?,
            remote_6: field("daddr_v6")?,
        })
    }

    /// What a sample says: process, thread (4 bytes each), time (8), length (4), fields.
    pub fn read(&self, sample: &[u8]) -> Option<Change> {
        let pid = u32::from_ne_bytes(*sample.first_chunk()?);
        let at_ns = u64::from_ne_bytes(*sample.get(8..)?.first_chunk()?);
        let fields = sample.get(SAMPLE_HEAD_BYTES..)?;
        let is_6 = number(fields, self.family)? == INTERNET_6;
        let end = |four: Field, six: Field, port: Field| -> Option<SocketAddr> {
            let ip = if is_6 { ipv6(fields, six)? } else { ipv4(fields, four)? };
            Some(SocketAddr::new(ip, u16::try_from(number(fields, port)?).ok()?))
        };
        Some(Change {
            at_ns,
            pid,
            socket: number(fields, self.socket)?,
            from: number(fields, self.from)?,
            to: number(fields, self.to)?,
            local: end(self.local_4, self.local_6, self.local_port)?,
            remote: end(self.remote_4, self.remote_6, self.remote_port)?,
        })
    }
}

fn parse_field(line: &str, name: &str) -> Option<Field> {
    let mut parts = line.trim().split(';').map(str::trim);
    let declared = parts.next()?.strip_prefix("field:")?.rsplit(' ').next()?;
    if declared.split('[').next()? != name {
        return None;
    }
    let offset = parts.next()?.strip_prefix("offset:")?.parse().ok()?;
    let bytes = parts.next()?.strip_prefix("size:")?.parse().ok()?;
    Some(Field { offset, bytes })
}

fn bytes_of(fields: &[u8], field: Field) -> Option<&[u8]> {
    fields.get(field.offset..field.offset.checked_add(field.bytes)?)
}

fn number(fields: &[u8], field: Field) -> Option<u64> {
    let bytes = bytes_of(fields, field)?;
    Some(match bytes.len() {
        1 => u64::from(bytes[0]),
        2 => u64::from(u16::from_ne_bytes(bytes.try_into().ok()?)),
        4 => u64::from(u32::from_ne_bytes(bytes.try_into().ok()?)),
        8 => u64::from_ne_bytes(bytes.try_into().ok()?),
        _ => return None,
    })
}

fn ipv4(fields: &[u8], field: Field) -> Option<IpAddr> {
    let bytes: [u8; 4] = bytes_of(fields, field)?.try_into().ok()?;
    Some(Ipv4Addr::from(bytes).into())
}

fn ipv6(fields: &[u8], field: Field) -> Option<IpAddr> {
    let bytes: [u8; 16] = bytes_of(fields, field)?.try_into().ok()?;
    let ip = Ipv6Addr::from(bytes);
    Some(ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// As Linux 6.18 writes it.
    pub const TEXT: &str = "name: inet_sock_set_state\nID: 2287\nformat:\n\
        \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\
        \tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n\
        \tfield:const void * skaddr;\toffset:8;\tsize:8;\tsigned:0;\n\
        \tfield:int oldstate;\toffset:16;\tsize:4;\tsigned:1;\n\
        \tfield:int newstate;\toffset:20;\tsize:4;\tsigned:1;\n\
        \tfield:__u16 sport;\toffset:24;\tsize:2;\tsigned:0;\n\
        \tfield:__u16 dport;\toffset:26;\tsize:2;\tsigned:0;\n\
        \tfield:__u16 family;\toffset:28;\tsize:2;\tsigned:0;\n\
        \tfield:__u16 protocol;\toffset:30;\tsize:2;\tsigned:0;\n\
        \tfield:__u8 saddr[4];\toffset:32;\tsize:4;\tsigned:0;\n\
        \tfield:__u8 daddr[4];\toffset:36;\tsize:4;\tsigned:0;\n\
        \tfield:__u8 saddr_v6[16];\toffset:40;\tsize:16;\tsigned:0;\n\
        \tfield:__u8 daddr_v6[16];\toffset:56;\tsize:16;\tsigned:0;\n\n\
        print fmt: \"family=%s oldstate=%s\", REC->family, REC->oldstate\n";

    fn sample(family: u16, remote: [u8; 16]) -> Vec<u8> {
        let mut bytes = [700u32.to_ne_bytes(), 701u32.to_ne_bytes()].concat();
        bytes.extend(5_000u64.to_ne_bytes());
        bytes.extend(76u32.to_ne_bytes());
        bytes.extend([0; 8]);
        bytes.extend(0xffff_8880_0000_0001u64.to_ne_bytes());
        bytes.extend([7u32.to_ne_bytes(), 2u32.to_ne_bytes()].concat());
        bytes.extend([0u16.to_ne_bytes(), 5432u16.to_ne_bytes()].concat());
        bytes.extend([family.to_ne_bytes(), 6u16.to_ne_bytes()].concat());
        bytes.extend([10, 0, 0, 5, 10, 0, 0, 6]);
        bytes.extend([0; 16]);
        bytes.extend(remote);
        bytes.extend([0; 4]);
        bytes
    }

    #[test]
    fn a_sample_is_read_by_the_format_of_its_kernel() {
        let format = Format::parse(TEXT).unwrap();
        assert_eq!(format.id, 2287);
        let change = format.read(&sample(2, [0; 16])).unwrap();
        assert_eq!((change.pid, change.at_ns, change.from, change.to), (700, 5_000, 7, ASKED));
        assert_eq!(
            (change.local.to_string(), change.remote.to_string()),
            ("10.0.0.5:0".into(), "10.0.0.6:5432".into())
        );
        let six = "fd00::6".parse::<Ipv6Addr>().unwrap().octets();
        assert_eq!(format.read(&sample(10, six)).unwrap().remote.to_string(), "[fd00::6]:5432");
        let mapped = "::ffff:10.0.0.7".parse::<Ipv6Addr>().unwrap().octets();
        assert_eq!(format.read(&sample(10, mapped)).unwrap().remote.to_string(), "10.0.0.7:5432");
    }

    #[test]
    fn what_is_cut_short_or_another_format_gives_nothing() {
        let format = Format::parse(TEXT).unwrap();
        let whole = sample(10, [0; 16]);
        for length in 0..SAMPLE_HEAD_BYTES + 72 {
            assert_eq!(format.read(&whole[..length]), None, "{length}");
        }
        for gone in ["ID: 2287", "skaddr", "newstate", "protocol", "saddr_v6", "offset:24"] {
            assert_eq!(Format::parse(&TEXT.replace(gone, "x")), None, "{gone}");
        }
        let wide = Format::parse(&TEXT.replace("offset:24;\tsize:2", "offset:24;\tsize:3")).unwrap();
        assert_eq!(wide.read(&whole), None);
    }
}
