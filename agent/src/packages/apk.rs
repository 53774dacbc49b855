//! Alpine's package database: paragraphs of `X:value` lines, files of a package included.

use super::{Package, PackageKind, Part, TEXT_DATABASE_BYTES_MAX, Wanted, position};
use crate::root::Root;

const PLACES: [&str; 2] = ["/lib/apk/db/installed", "/usr/lib/apk/db/installed"];

pub(super) fn places() -> Vec<String> {
    PLACES.map(str::to_owned).to_vec()
}

/// The first of the places that is there: the second may be the same file by another way.
fn content(root: &Root) -> Option<Result<Vec<u8>, crate::root::ReadError>> {
    PLACES
        .iter()
        .map(|place| root.read(place, TEXT_DATABASE_BYTES_MAX))
        .find(|read| !matches!(read, Err(error) if error.is_missing()))
}

pub(super) fn read(root: &Root, part: &mut Part) {
    match content(root) {
        Some(Ok(content)) => walk(&content, |package, file| {
            if file.is_none() {
                part.packages.push(package.clone());
            }
        }),
        Some(Err(error)) => part.gaps.push(error.to_string()),
        None => {}
    }
}

pub(super) fn owners(root: &Root, packages: &[Package], wanted: &mut Wanted) {
    if wanted.is_done() {
        return;
    }
    let Some(Ok(content)) = content(root) else { return };
    walk(&content, |package, file| {
        if let Some(file) = file {
            wanted.offer(file, || {
                position(packages, PackageKind::Apk, &package.name, |other| other == package)
            });
        }
    });
}

/// Calls `see` once for each package, and once for each of its files.
fn walk(content: &[u8], mut see: impl FnMut(&Package, Option<&[u8]>)) {
    for paragraph in Paragraphs(content) {
        let mut package = Package {
            kind: PackageKind::Apk,
            name: String::new(),
            version: String::new(),
            epoch: None,
            architecture: String::new(),
        };
        let mut directory: &[u8] = b"";
        let mut seen = false;
        for line in paragraph.split(|byte| *byte == b'\n') {
            let Some((&field, [b':', value @ ..])) = line.split_first() else { continue };
            match field {
                b'P' => package.name = text(value),
                b'V' => package.version = text(value),
                b'A' => package.architecture = text(value),
                b'F' => directory = value,
                b'R' if seen => see(&package, Some(&[b"/", directory, b"/", value].concat())),
                _ => {}
            }
            // The package's own lines come before those of its files.
            if !seen && field == b'F' && is_whole(&package) {
                seen = true;
                see(&package, None);
            }
        }
        if !seen && is_whole(&package) {
            see(&package, None);
        }
    }
}

fn is_whole(package: &Package) -> bool {
    !package.name.is_empty() && !package.version.is_empty()
}

fn text(value: &[u8]) -> String {
    crate::claim::clean(&String::from_utf8_lossy(value))
}

/// Pieces of a text between empty lines.
struct Paragraphs<'a>(&'a [u8]);

impl<'a> Iterator for Paragraphs<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let end = self.0.windows(2).position(|pair| pair == b"\n\n");
        let (paragraph, rest) = match end {
            Some(end) => (&self.0[..end], &self.0[end + 2..]),
            None => (self.0, &[][..]),
        };
        self.0 = rest;
        Some(paragraph)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(content: &[u8]) -> Vec<String> {
        let mut shown = Vec::new();
        walk(content, |package, file| {
            shown.push(format!(
                "{} {} {}",
                package.name,
                package.version,
                String::from_utf8_lossy(file.unwrap_or_default())
            ));
        });
        shown
    }

    #[test]
    fn packages_and_their_files() {
        let content = b"C:Q1\nP:musl\nV:1.2.4-r2\nA:x86_64\nF:lib\nR:ld-musl.so\na:0:0:755\nF:usr/bin\nR:ldd\n\nP:base\nV:3\nA:noarch\n\nP:broken\n";
        assert_eq!(
            shown(content),
            ["musl 1.2.4-r2 ", "musl 1.2.4-r2 /lib/ld-musl.so", "musl 1.2.4-r2 /usr/bin/ldd", "base 3 "]
        );
    }

    #[test]
    fn rubbish_gives_nothing() {
        for content in [&b""[..], b"\n\n\n\n", b"P", b"P:", b":", b"R:file\nF:x", &[0xff; 100]] {
            assert!(shown(content).is_empty(), "{content:?}");
        }
    }
}
