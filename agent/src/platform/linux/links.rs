//! Where the symbolic links of one directory point, such as the open files of a process: the way to the directory is
//! gone once, and not for each of thousands.

use std::io;
use std::mem::MaybeUninit;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, RawDir, openat, readlinkat_raw};

/// Names that are listed at once.
const LIST_BYTES: usize = 8 << 10;

/// Hands over the target of each link, its first `TARGET_BYTES` only, or why it is not told. Whether there were more than
/// `count_max`.
pub fn links<const TARGET_BYTES: usize>(
    directory: &Path,
    count_max: usize,
    each: &mut dyn FnMut(io::Result<&[u8]>),
) -> io::Result<bool> {
    let directory =
        openat(CWD, directory, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let mut list = [MaybeUninit::<u8>::uninit(); LIST_BYTES];
    let mut entries = RawDir::new(&directory, &mut list);
    let mut count = 0;
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        if count == count_max {
            return Ok(true);
        }
        count += 1;
        let mut target = [0; TARGET_BYTES];
        let read = readlinkat_raw(&directory, name, &mut target[..]);
        each(read.map(|length| &target[..length]).map_err(io::Error::from));
    }
    Ok(false)
}
