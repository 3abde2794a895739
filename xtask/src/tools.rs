//! Programs that checking Rialto takes, installed below `target/tools` at the versions named here, and
//! what the compiler brings along.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{command, install_package, output, run};

const FOLDER: &str = "target/tools";

/// A cargo command from crates.io, such as `cargo-deny`; its path.
pub(crate) fn cargo_tool(name: &str, version: &str) -> Result<PathBuf> {
    let folder = Path::new(FOLDER).join(format!("{name}-{version}"));
    let program = folder.join("bin").join(name);
    if !program.exists() {
        println!("installing {name} {version}");
        // Without optimisation, and lines for a debugger, it is there sooner; it runs for a second.
        run(command(&format!(
            "cargo install --quiet --locked --debug {name}@{version} --root"
        ))
        .arg(&folder)
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_TARGET_DIR", "target/tools/build"))?;
    }
    Ok(program.canonicalize()?)
}

/// A release build by `line`, with `flags` for the compiler, in a folder of its own; where its programs
/// are. With a target that is named, the flags are not for macros and build scripts.
pub(crate) fn build_with(flags: &str, folder: &Path, line: &str) -> Result<PathBuf> {
    let host = host()?;
    let mut build = command(line);
    build
        .args(["--target", &host])
        .env("CARGO_TARGET_DIR", folder)
        .env("RUSTFLAGS", flags);
    run(&mut build)?;
    Ok(folder.join(host).join("release"))
}

/// The tool that reads what a program has counted: that of the compiler, as the format changes with it.
pub(crate) fn llvm_profdata() -> Result<PathBuf> {
    let root = output(&mut command("rustc --print sysroot"))?;
    let folder = Path::new(root.trim()).join("lib/rustlib").join(host()?);
    let program = folder.join("bin/llvm-profdata");
    if !program.exists() {
        let add = "rustup component add llvm-tools";
        println!("llvm-profdata is missing: {add}");
        run(&mut command(add)).with_context(|| format!("install it: {add}"))?;
    }
    Ok(program)
}

/// Which machine this compiler builds for.
fn host() -> Result<String> {
    let host = output(&mut command("rustc --print host-tuple"))?;
    Ok(host.trim().to_owned())
}

/// A program from PyPI that is called as its package; its path.
pub(crate) fn python_tool(name: &str, version: &str) -> Result<PathBuf> {
    python_program(name, version, name)
}

/// A program of the package `name` from PyPI in a virtual environment of its own; its path.
pub(crate) fn python_program(name: &str, version: &str, program: &str) -> Result<PathBuf> {
    let folder = Path::new(FOLDER).join(format!("{name}-{version}"));
    let program = folder.join("bin").join(program);
    if !program.exists() {
        println!("installing {name} {version}");
        let has_venv =
            |mut python: Command| output(python.args(["-c", "import ensurepip"])).is_ok();
        if !has_venv(Command::new("python3")) {
            install_package("python3-venv", "Python with venv")?;
        }
        run(command("python3 -m venv").arg(&folder))?;
        let pip = folder.join("bin/pip");
        let wanted = format!("{name}=={version}");
        run(Command::new(pip).args(["install", "--quiet", &wanted]))?;
    }
    Ok(program.canonicalize()?)
}
