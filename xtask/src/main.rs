//! The developer's commands.

mod regenerate;

use std::path::PathBuf;

fn workspace_root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask stands in the workspace").to_owned()
}

fn main() -> anyhow::Result<()> {
    regenerate::regenerate(&workspace_root())
}
