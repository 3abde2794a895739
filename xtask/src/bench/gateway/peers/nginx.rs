//! nginx. It checks no tokens; of one answer from three it makes includes.

use std::process::Command;

use anyhow::Result;

use super::{Place, written};
use crate::bench::gateway::Scenario;
use crate::process::command;

/// nginx with so many workers and these servers.
pub(super) fn server(place: &Place, workers: usize, servers: &str) -> Result<Command> {
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

/// nginx with two workers, told what to do.
pub(super) fn proxy(scenario: Scenario, place: &Place) -> Result<Command> {
    let Place {
        folder,
        listen,
        upstream,
        ..
    } = place;
    let folder = folder.display();
    let (zone, more) = match scenario {
        Scenario::Proxy | Scenario::Merged => (String::new(), ""),
        Scenario::CacheHit => (
            format!("proxy_cache_path {folder}/cache keys_zone=all:10m;"),
            "proxy_cache all;",
        ),
        Scenario::TokenAndLimit => (
            String::from("limit_req_zone $binary_remote_addr zone=all:10m rate=500000r/s;"),
            "limit_req zone=all burst=1000 nodelay;",
        ),
    };
    let part = |number| format!("\"{number}\":<!--# include virtual=\"/v1/things/{number}\" -->");
    let parts = format!("{},{},{}", part(1), part(2), part(3));
    let servers = format!(
        "{zone}
         upstream all {{ server {upstream}; keepalive 64; keepalive_requests 1000000000; }}
         server {{ listen {listen} backlog=4096;
         location = /merged {{ default_type application/json; ssi on; ssi_types application/json;
           return 200 '{{{parts}}}'; }}
         location / {{
           proxy_pass http://all; proxy_http_version 1.1; proxy_set_header connection '';
           proxy_set_header x-forwarded-for $remote_addr; {more}
         }} }}"
    );
    server(place, 2, &servers)
}
