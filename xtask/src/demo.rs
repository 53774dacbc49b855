#[derive(clap::Args)]
pub struct Options {}
pub fn demo(_: &std::path::Path, _: &Options) -> anyhow::Result<std::process::ExitCode> {
    unimplemented!()
}
