//! `cmdb-server`: reads the configuration, does what it is asked, and says in one paragraph why it could not.
//!
//! Exit codes: 0 done, 1 it could not, 2 the command line or the configuration is wrong.

use std::io::Write;
use std::process::ExitCode;

use cmdb_server::config::{self, Arguments, Config, ConfigError, Verb};
use cmdb_server::{log, offline, server};

/// Most of the server's work is small allocations on several threads: an import takes a fifth less time with it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const FAILED: u8 = 1;
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell that standard error is closed.
            drop(writeln!(std::io::stderr(), "error: {error:#}"));
            ExitCode::from(if error.is::<ConfigError>() { USAGE } else { FAILED })
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let environment = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    let values = config::gather(&arguments.flags, &environment)?;
    let config = Config::from_values(&values)?;
    match &arguments.verb {
        Verb::PrintConfig => {
            std::io::stdout().write_all(config::print(&values).as_bytes())?;
            Ok(())
        }
        Verb::Serve => {
            log::begin(&config);
            server::run(&config)
        }
        Verb::Restore { file } => {
            log::begin(&config);
            offline::restore(file, &config.data, config.schema.as_deref())
        }
        Verb::Compact => {
            log::begin(&config);
            offline::compact(&config.data)
        }
    }
}
