//! Varnish. It checks no tokens.

use std::process::Command;

use anyhow::Result;

use super::{Place, written};
use crate::bench::gateway::Scenario;
use crate::process::command;

pub(super) fn proxy(scenario: Scenario, place: &Place) -> Result<Command> {
    let (host, port) = (place.upstream.ip(), place.upstream.port());
    let way = match scenario {
        Scenario::CacheHit => "hash",
        _ => "pass",
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
