//! Systems other than Linux: the operating system's name, and for every other section that it is not available.

use super::software::Software;
use crate::claim::Draft;
use crate::collector::{Collector, Scope, Section};
use crate::host::{Host, OS_KEY};

pub fn all(_software: Software) -> Vec<Box<dyn Collector>> {
    Scope::ALL
        .into_iter()
        .map(|scope| match scope {
            Scope::Os => Box::new(Os) as Box<dyn Collector>,
            _ => Box::new(NotAvailable(scope)),
        })
        .collect()
}

struct Os;

impl Collector for Os {
    fn scope(&self) -> Scope {
        Scope::Os
    }

    fn collect(&mut self, host: &mut Host, section: &mut Section) {
        section.add(
            Draft::new(OS_KEY, "operating_system", &host.name)
                .set("host_name", &host.name)
                .set("os.id", std::env::consts::OS)
                .set("os.name", std::env::consts::OS)
                .set("architecture", std::env::consts::ARCH),
        );
    }
}

struct NotAvailable(Scope);

impl Collector for NotAvailable {
    fn scope(&self) -> Scope {
        self.0
    }

    fn collect(&mut self, _host: &mut Host, section: &mut Section) {
        section.gap(format!("not available on {}", std::env::consts::OS));
    }
}
