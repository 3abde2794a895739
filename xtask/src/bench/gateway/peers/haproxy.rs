//! HAProxy.

use std::process::Command;

use anyhow::Result;

use super::{Place, written};
use crate::bench::gateway::{Scenario, token};
use crate::process::command;

pub(super) fn proxy(scenario: Scenario, place: &Place) -> Result<Command> {
    let Place {
        listen, upstream, ..
    } = place;
    let cache = match scenario {
        Scenario::CacheHit => "  http-request cache-use all\n  http-response cache-store all\n",
        _ => "",
    };
    let checks = match scenario {
        Scenario::TokenAndLimit => format!(
            "  http-request set-var(txn.alg) http_auth_bearer,jwt_header_query('$.alg')\n  \
             http-request deny deny_status 401 unless {{ var(txn.alg) -m str HS256 }}\n  \
             http-request deny deny_status 401 unless \
             {{ http_auth_bearer,jwt_verify(txn.alg,\"{}\") -m int 1 }}\n  \
             stick-table type ip size 100k expire 30s store http_req_rate(1s)\n  \
             http-request track-sc0 src\n  \
             http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt 500000 }}\n",
            token::SECRET
        ),
        _ => String::new(),
    };
    let config = format!(
        "global\n  nbthread 2\n  maxconn 8000\n\
         defaults\n  mode http\n  timeout connect 5s\n  timeout client 600s\n  timeout server 60s\n  \
         http-reuse always\n  option forwardfor\n\
         cache all\n  total-max-size 16\n  max-age 3600\n\
         frontend all\n  bind {listen} backlog 4096\n{checks}  default_backend all\n\
         backend all\n{cache}  server all {upstream}\n"
    );
    let mut command = command("haproxy -db -f");
    command.arg(written(place, "haproxy.cfg", &config)?);
    Ok(command)
}
