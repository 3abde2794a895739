//! A Redis server of its own for one test.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use crate::redis::{RedisSettings, RedisUrl};

/// A server on loopback that keeps nothing; it goes when this does, or when the test process does.
#[derive(Debug)]
pub struct TestRedis {
    port: u16,
    process: Option<Child>,
}

impl TestRedis {
    /// An empty server; `None` where `redis-server` is not installed, unless the runner has set
    /// `TEST_REDIS=required`.
    pub fn start() -> Option<Self> {
        // Somebody else may take the port before the server does.
        let started = (0..10).find_map(|_| {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let port = listener.local_addr().expect("bound").port();
            drop(listener);
            launch(port).map(|process| Self {
                port,
                process: Some(process),
            })
        });
        assert!(
            started.is_some() || !required(),
            "redis-server does not start; is it installed? `cargo xtask test` does that"
        );
        started
    }

    /// The address, as the configuration takes it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// How to reach it, with so much patience that a busy machine is no failure.
    pub fn settings(&self) -> RedisSettings {
        let url: RedisUrl = self.url().parse().expect("a URL");
        RedisSettings {
            timeout: std::time::Duration::from_secs(5),
            ..RedisSettings::new(url)
        }
    }

    /// The id of its process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts it again where it was, empty.
    pub fn start_again(&mut self) {
        self.kill();
        self.process = (0..10).find_map(|_| launch(self.port));
        assert!(self.process.is_some(), "redis-server starts again");
    }
}

impl Drop for TestRedis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns once it accepts connections.
fn launch(port: u16) -> Option<Child> {
    // Ends with this process, however that ends.
    let line = "--pdeathsig KILL redis-server --bind 127.0.0.1 --appendonly no --dir /tmp";
    let mut process = Command::new("setpriv")
        .args(line.split(' '))
        .args(["--save", "", "--port", &port.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let lines = BufReader::new(process.stdout.take()?).lines();
    let ready = |line: String| line.contains("Ready to accept connections");
    if lines.map_while(Result::ok).any(ready) {
        return Some(process);
    }
    let _ = process.kill();
    let _ = process.wait();
    None
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests are configured by their runner"
)]
fn required() -> bool {
    std::env::var("TEST_REDIS").is_ok_and(|value| value == "required")
}
