//! Installed packages, one entry per package URL.

use crate::claim::{Draft, Relation};
use crate::collector::{Collector, Scope, Section};
use crate::host::{Host, OS_KEY};

/// Says what is installed.
#[derive(Debug)]
pub struct Packages;

impl Collector for Packages {
    fn scope(&self) -> Scope {
        Scope::Packages
    }

    fn collect(&mut self, host: &mut Host, section: &mut Section) {
        for gap in host.packages.gaps() {
            section.gap(gap);
        }
        for package in host.packages.packages() {
            let purl = package.purl(&host.distribution);
            section.add(
                Draft::new(
                    &format!("package:{purl}"),
                    "package",
                    &format!("{} {}", package.name, package.version),
                )
                .set("purl", &purl)
                .set("type", package.kind.as_str())
                .set("package", &package.name)
                .set("version", &package.version)
                .set("architecture", &package.architecture)
                .relates(Relation::InstalledOn, OS_KEY),
            );
        }
    }
}
