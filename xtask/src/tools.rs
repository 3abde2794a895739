//! Programs that checking Rialto takes, installed below `target/tools` at the versions named here, and
//! what the compiler brings along.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::process::{command, found, install_package, output, run};

const FOLDER: &str = "target/tools";
const BOLT: &str = "llvm-bolt-19";

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

/// A tool of the compiler's own LLVM, which reads what it has written.
pub(crate) fn llvm_tool(name: &str) -> Result<PathBuf> {
    let root = output(&mut command("rustc --print sysroot"))?;
    let folder = Path::new(root.trim()).join("lib/rustlib").join(host()?);
    let program = folder.join("bin").join(name);
    if !program.exists() {
        let add = "rustup component add llvm-tools";
        println!("{name} is missing: {add}");
        run(&mut command(add)).with_context(|| format!("install it: {add}"))?;
    }
    Ok(program)
}

/// LLVM's optimiser of programs that are linked already.
pub(crate) struct Bolt;

impl Bolt {
    /// Debian's, installed if it is missing.
    pub(crate) fn found() -> Result<Self> {
        if !found(BOLT) {
            install_package("bolt-19", "BOLT")?;
        }
        Ok(Self)
    }

    /// Makes a program of `program` that counts its blocks, into a file of `folder` for each process.
    pub(crate) fn let_count(&self, program: &Path, counting: &Path, folder: &Path) -> Result<()> {
        let file = folder.join("blocks").display().to_string();
        let mut bolt = Command::new(BOLT);
        bolt.arg(program).arg("-o").arg(counting);
        bolt.args(["-instrument", "--instrumentation-file-append-pid"]);
        run(bolt.arg(format!("--instrumentation-file={file}")))
    }

    /// Puts what was counted in `folder` into one file.
    pub(crate) fn merge(&self, folder: &Path, into: &Path) -> Result<()> {
        let files = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
        let files: Vec<PathBuf> = files.collect::<Result<_>>()?;
        ensure!(!files.is_empty(), "the program has counted nothing");
        run(Command::new("merge-fdata-19")
            .args(files)
            .arg("-o")
            .arg(into))
    }

    /// Lays `program` out by what was counted.
    pub(crate) fn lay_out(&self, program: &Path, counts: &Path, into: &Path) -> Result<()> {
        let mut bolt = Command::new(BOLT);
        bolt.arg(program)
            .arg("-o")
            .arg(into)
            .arg("--data")
            .arg(counts);
        run(bolt.args([
            "--reorder-blocks=ext-tsp",
            "--reorder-functions=cdsort",
            "--split-functions",
            "--split-all-cold",
            "--split-eh",
            "--use-gnu-stack",
        ]))
    }
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
