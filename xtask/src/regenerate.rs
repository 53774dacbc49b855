//! Compiles `proto/cmdb/v1/*.proto` with a pure-Rust compiler and writes `proto/src/generated/`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use prost::Message;

const GENERATED: &str = "proto/src/generated";

/// Writes the generated code of the contract below `root`.
pub fn regenerate(root: &Path) -> Result<()> {
    let directory = root.join(GENERATED);
    fs::create_dir_all(&directory)?;
    generate_into(root, &directory)
}

fn generate_into(root: &Path, directory: &Path) -> Result<()> {
    let protos = root.join("proto");
    let mut files: Vec<_> = fs::read_dir(protos.join("cmdb/v1"))
        .context("reading proto/cmdb/v1")?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "proto"))
        .collect();
    files.sort();
    let mut compiler = protox::Compiler::new([&protos])?;
    compiler.include_source_info(true).include_imports(true).open_files(&files)?;
    let described = compiler.file_descriptor_set();
    tonic_prost_build::configure()
        .btree_map(".")
        .emit_rerun_if_changed(false)
        .out_dir(directory)
        .compile_fds(described)
        .context("generating Rust from the descriptors")?;
    // Reflection does not need the comments, and the binary is smaller without.
    compiler.include_source_info(false);
    fs::write(directory.join("cmdb.v1.bin"), compiler.file_descriptor_set().encode_to_vec())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_code_is_what_the_proto_files_say() {
        let root = crate::workspace_root();
        let fresh = tempfile::tempdir().expect("a temporary directory");
        generate_into(&root, fresh.path()).expect("the proto files compile");
        for name in ["cmdb.v1.rs", "cmdb.v1.bin"] {
            let committed = fs::read(root.join(GENERATED).join(name)).expect("generated code is committed");
            let generated = fs::read(fresh.path().join(name)).expect("generated now");
            assert!(committed == generated, "{GENERATED}/{name} is old: run `cargo xtask regenerate`");
        }
    }
}
