//! Debian's package database: paragraphs of `Field: value` lines, and one list of files per package.

use super::{Package, PackageKind, Part, TEXT_DATABASE_BYTES_MAX, Wanted, position};
use crate::root::Root;

const STATUS: &str = "/var/lib/dpkg/status";
/// Images without a package manager keep one paragraph per file here.
const STATUS_DIRECTORY: &str = "/var/lib/dpkg/status.d";
const LISTS: &str = "/var/lib/dpkg/info";
/// The most bytes of the list of files of one package.
const LIST_BYTES_MAX: usize = 32 << 20;
/// The most files looked at in a directory of the database.
const FILES_MAX: usize = 200_000;

pub(super) fn places(root: &Root) -> Vec<String> {
    let mut places = vec![STATUS.to_owned(), STATUS_DIRECTORY.to_owned()];
    places.extend(status_files(root));
    places
}

fn status_files(root: &Root) -> Vec<String> {
    let names = root.names(STATUS_DIRECTORY, FILES_MAX).unwrap_or_default().names;
    names
        .into_iter()
        .filter(|name| !name.ends_with(".md5sums"))
        .map(|name| format!("{STATUS_DIRECTORY}/{name}"))
        .collect()
}

pub(super) fn read(root: &Root, part: &mut Part) {
    for place in [STATUS.to_owned()].into_iter().chain(status_files(root)) {
        match root.read(&place, TEXT_DATABASE_BYTES_MAX) {
            Ok(content) => parse_status(&content, &mut part.packages),
            Err(error) if error.is_missing() => {}
            Err(error) => part.gaps.push(error.to_string()),
        }
    }
}

/// Adds the installed packages of a status file.
pub(super) fn parse_status(content: &[u8], packages: &mut Vec<Package>) {
    let mut paragraph = Paragraph::default();
    for line in content.split(|byte| *byte == b'\n') {
        if line.is_empty() {
            packages.extend(std::mem::take(&mut paragraph).finish());
        } else if !line.starts_with(b" ") {
            paragraph.take_line(line);
        }
    }
    packages.extend(paragraph.finish());
}

#[derive(Default)]
struct Paragraph {
    name: Option<String>,
    version: Option<String>,
    architecture: Option<String>,
    status: Option<String>,
}

impl Paragraph {
    fn take_line(&mut self, line: &[u8]) {
        let field = match line.iter().position(|byte| *byte == b':').map(|colon| line.split_at(colon)) {
            Some((b"Package", value)) => (&mut self.name, value),
            Some((b"Version", value)) => (&mut self.version, value),
            Some((b"Architecture", value)) => (&mut self.architecture, value),
            Some((b"Status", value)) => (&mut self.status, value),
            _ => return,
        };
        *field.0 = Some(crate::claim::clean(&String::from_utf8_lossy(&field.1[1..])));
    }

    fn finish(self) -> Option<Package> {
        // `install ok installed`: what is wanted, whether it is well, what it is. No status: an image's own file.
        let state = self.status.as_deref().map(|status| status.rsplit(' ').next().unwrap_or_default());
        let there = matches!(
            state,
            None | Some(
                "installed" | "unpacked" | "half-configured" | "triggers-awaited" | "triggers-pending"
            )
        );
        Some(Package {
            kind: PackageKind::Deb,
            name: self.name.filter(|name| !name.is_empty() && there)?,
            version: self.version.filter(|version| !version.is_empty())?,
            epoch: None,
            architecture: self.architecture.unwrap_or_default(),
        })
    }
}

/// The names of lists, with those first that begin like a file that is looked for: `nginx-common` for `nginx`. Most
/// owners are found there, and the rest need not be read.
fn likely_first<'n>(names: &'n [String], wanted: &Wanted) -> Vec<&'n str> {
    let stems: Vec<Vec<u8>> = wanted
        .file_names()
        .into_iter()
        .map(|name| name.iter().copied().take_while(u8::is_ascii_alphabetic).collect::<Vec<u8>>())
        .filter(|stem| stem.len() > 1)
        .collect();
    let is_likely = |name: &&str| stems.iter().any(|stem| name.as_bytes().starts_with(stem));
    let lists = || names.iter().filter_map(|name| name.strip_suffix(".list"));
    lists().filter(is_likely).chain(lists().filter(|name| !is_likely(name))).collect()
}

/// Looks through the lists of files.
pub(super) fn owners(root: &Root, packages: &[Package], wanted: &mut Wanted) {
    let mut content = Vec::new();
    let names = root.names(LISTS, FILES_MAX).unwrap_or_default().names;
    for name in likely_first(&names, wanted) {
        if wanted.is_done() {
            return;
        }
        if root.read_piece_into(&format!("{LISTS}/{name}.list"), LIST_BYTES_MAX, &mut content).is_err() {
            continue;
        }
        let (package, architecture) = name.split_once(':').map_or((name, None), |(n, a)| (n, Some(a)));
        let find = || {
            position(packages, PackageKind::Deb, package, |candidate| {
                architecture.is_none_or(|architecture| candidate.architecture == architecture)
            })
        };
        for line in content.split(|byte| *byte == b'\n') {
            wanted.offer(line, find);
        }
    }
    for status in status_files(root) {
        if wanted.is_done()
            || root.read_into(&format!("{status}.md5sums"), LIST_BYTES_MAX, &mut content).is_err()
        {
            continue;
        }
        let mut of_file = Vec::new();
        if let Ok(paragraph) = root.read(&status, LIST_BYTES_MAX) {
            parse_status(&paragraph, &mut of_file);
        }
        let Some(package) = of_file.first() else { continue };
        for line in content.split(|byte| *byte == b'\n') {
            // `<32 hexadecimal digits>  usr/bin/program`
            let Some(path) = line.get(34..) else { continue };
            let path = [b"/", path].concat();
            wanted.offer(&path, || {
                position(packages, PackageKind::Deb, &package.name, |other| other == package)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_installed() {
        let status = b"Package: nginx\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.22.1-9\nDescription: x\n Package: not this\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: no-version\nStatus: install ok installed\n\nPackage: \xff\xfe\nVersion: 2\nArchitecture: all";
        let mut packages = Vec::new();
        parse_status(status, &mut packages);
        let shown: Vec<_> =
            packages.iter().map(|p| format!("{} {} {}", p.name, p.version, p.architecture)).collect();
        assert_eq!(shown, ["nginx 1.22.1-9 amd64", "\u{fffd}\u{fffd} 2 all"]);
    }

    #[test]
    fn rubbish_gives_nothing() {
        for content in [&b""[..], b"\n\n\n", b":", b"Package:", b"Package", b"\0\0\0", &[0xff; 1000]] {
            let mut packages = Vec::new();
            parse_status(content, &mut packages);
            assert!(packages.is_empty(), "{content:?}");
        }
    }
}
