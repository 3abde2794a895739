//! Running other programs.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// A command line in one piece: words without spaces.
pub(crate) fn command(line: &str) -> Command {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    command
}

/// Runs to the end, its output on the terminal; fails if it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    let status = command
        .status()
        .with_context(|| format!("cannot run `{shown}`"))?;
    ensure!(status.success(), "`{shown}` failed: {status}");
    Ok(())
}

/// Runs to the end and returns what it wrote to standard output; fails with what it wrote to
/// standard error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let shown = shown(command);
    let output = command
        .output()
        .with_context(|| format!("cannot run `{shown}`"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{shown}` failed: {}\n{}", output.status, said.trim());
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Waits until `ready` says so, `limit` at most; tells whether it did.
pub(crate) fn comes(limit: Duration, ready: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while !ready() {
        if begun.elapsed() > limit {
            return false;
        }
        pause(Duration::from_millis(10));
    }
    true
}

/// Whether the search path has a program of this name.
pub(crate) fn found(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Whether this is the superuser, who may install packages, and as whom some servers refuse to run.
pub(crate) fn is_root() -> bool {
    output(&mut command("id -u")).is_ok_and(|id| id.trim() == "0")
}

/// Installs a package of Debian's, or tells who can.
pub(crate) fn install_package(package: &str, what_for: &str) -> Result<()> {
    let line = format!("apt-get install -y --no-install-recommends {package}");
    ensure!(
        is_root() && found("apt-get"),
        "{what_for} is missing; install it: on Debian and Ubuntu `sudo {line}`"
    );
    println!("{what_for} is missing: {line}");
    // The lists of a fresh machine are empty or old.
    if run(command(&line).env("DEBIAN_FRONTEND", "noninteractive")).is_ok() {
        return Ok(());
    }
    run(&mut command("apt-get update -q"))?;
    run(command(&line).env("DEBIAN_FRONTEND", "noninteractive"))
}

/// An address on this machine that nobody listened on a moment ago.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// A process that ends with whoever started it.
#[derive(Debug)]
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let shown = shown(command);
        let child = command
            .spawn()
            .with_context(|| format!("cannot run `{shown}`"))?;
        Ok(Self(child))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Waits until `ready` says so; fails if the process ends before, or after `limit`.
    pub(crate) fn until(&mut self, limit: Duration, ready: impl Fn() -> bool) -> Result<Duration> {
        let started = Instant::now();
        while !ready() {
            if let Some(status) = self.0.try_wait()? {
                bail!("it ended at once: {status}");
            }
            ensure!(
                started.elapsed() < limit,
                "it was not ready within {limit:?}"
            );
            pause(Duration::from_millis(1));
        }
        Ok(started.elapsed())
    }

    /// Waits until it ends; fails after `limit`.
    pub(crate) fn ended(&mut self, limit: Duration) -> Result<ExitStatus> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status);
            }
            ensure!(begun.elapsed() < limit, "it did not end within {limit:?}");
            pause(Duration::from_millis(5));
        }
    }

    /// Asks it to end (SIGTERM), and tells whether it ended well within `limit`.
    pub(crate) fn stop(mut self, limit: Duration) -> Result<()> {
        run(&mut command(&format!("kill -TERM {}", self.id())))?;
        let status = self.ended(limit)?;
        ensure!(status.success(), "it ended with {status}");
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Whoever has ended already does not mind.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process beside everything else, which takes no time that something else wants. It ends with its
/// owner, and with this program, however that ends; all that it has started ends with it.
#[derive(Debug)]
pub(crate) struct Beside(Child);

impl Beside {
    /// What it writes goes into the file `log`; after `limit` it is ended.
    pub(crate) fn start(line: &str, limit: Duration, log: &Path) -> Result<Self> {
        let written = std::fs::File::create(log)?;
        // The kernel tells `timeout` when this program is gone, and `timeout` all that is below it. It
        // stays in this session: where the kernel groups processes by session, who is nice is that to
        // its own group only.
        let wrapped = format!(
            "setpriv --pdeathsig TERM timeout --kill-after 10 {} nice -n 19 {line}",
            limit.as_secs()
        );
        let child = command(&wrapped)
            .stdin(Stdio::null())
            .stdout(written.try_clone()?)
            .stderr(written)
            .spawn()
            .with_context(|| format!("cannot run `{wrapped}`"))?;
        Ok(Self(child))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // Killed, it could not pass it on.
        if let Ok(None) = self.0.try_wait() {
            let _ = run(&mut command(&format!("kill -TERM {}", self.0.id())));
            let _ = self.0.wait();
        }
    }
}

/// Other processes have no way to call.
#[expect(
    clippy::disallowed_methods,
    reason = "nothing else waits for a process of another kind"
)]
pub(crate) fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// A `GET` over plain HTTP; the status and the body. Enough to look at a process of our own.
pub(crate) fn get(address: SocketAddr, path: &str) -> Result<(u16, String)> {
    exchange(
        address,
        &format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"),
    )
}

/// A `POST` of JSON over plain HTTP by whom the token names, each under an idempotency key of its
/// own; the status and the body.
pub(crate) fn post(
    address: SocketAddr,
    path: &str,
    token: Option<&str>,
    json: &str,
) -> Result<(u16, String)> {
    static POSTED: AtomicU32 = AtomicU32::new(0);
    let (number, length) = (POSTED.fetch_add(1, Ordering::Relaxed), json.len());
    let authorization = token.map_or_else(String::new, |token| {
        format!("authorization: Bearer {token}\r\n")
    });
    exchange(
        address,
        &format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n{authorization}\
             idempotency-key: xtask-request-{number:08}\r\n\r\n{json}"
        ),
    )
}

/// What is answered to a request as it is sent: the status and the body.
pub(crate) fn exchange(address: SocketAddr, request: &str) -> Result<(u16, String)> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect_timeout(&address, Duration::from_secs(2))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .context("an answer without an end")?;
    let status = head
        .get(9..12)
        .and_then(|code| code.parse().ok())
        .context("a status")?;
    Ok((status, body.to_owned()))
}

/// Removes a folder and what is in it, if it is there.
pub(crate) fn remove_folder(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// The first text field called `name` in JSON that a program of ours wrote.
pub(crate) fn field<'a>(json: &'a str, name: &str) -> Result<&'a str> {
    let text = json.split(&format!("\"{name}\":\"")).nth(1);
    text.and_then(|rest| rest.split('"').next())
        .with_context(|| format!("no {name} in {json}"))
}

/// A cart with everything that an order needs.
pub(crate) fn full_cart(variant: &str) -> String {
    format!(
        r#"{{"currency":"EUR","email":"ada@example.com","shipping_option":"standard",
            "lines":[{{"variant_id":"{variant}","quantity":1}}],
            "shipping_address":{{"name":"Ada","line1":"Street 1","city":"Venice","country":"IT"}},
            "payment":{{"provider":"test","token":"tok_ok"}}}}"#
    )
}
