//! Rialto, told to do what the others do: the program as it is shipped, with traces and metrics.

use std::process::Command;

use anyhow::Result;

use super::{Place, written};
use crate::bench::gateway::{Scenario, token};
use crate::process::free_address;

/// A gateway before another server, to which so many requests may share a connection.
pub(super) fn proxy(scenario: Scenario, place: &Place, pipeline: usize) -> Result<Command> {
    let table = written(place, "routes.toml", &table(scenario, place, pipeline)?)?;
    let mut command = Command::new(&place.rialto);
    command.args(["serve", "--role", "gateway"]);
    let settings = [
        format!("gateway.routes={}", table.display()),
        format!("gateway.listen={}", place.listen),
        format!("admin.listen={}", free_address()?),
        String::from("gateway.workers=2"),
        String::from("gateway.cors_origins=[]"),
    ];
    for setting in settings {
        command.args(["--set", &setting]);
    }
    Ok(command)
}

fn table(scenario: Scenario, place: &Place, pipeline: usize) -> Result<String> {
    let upstream = place.upstream;
    let mut table = format!(
        r#"
        [gateway.upstream.all]
        servers = ["http://{upstream}"]
        pipeline = {pipeline}
        [[gateway.route]]
        name = "all"
        path = "/{{*rest}}"
        upstream = "all"
        "#
    );
    table.push_str(&match scenario {
        Scenario::Proxy => String::new(),
        Scenario::CacheHit => String::from("[gateway.route.cache]"),
        Scenario::TokenAndLimit => {
            let secret = written(place, "secret", token::SECRET)?;
            let (secret, issuer, audience) = (secret.display(), token::ISSUER, token::AUDIENCE);
            format!(
                r#"
                [gateway.route.auth]
                by = ["all"]
                [[gateway.route.limit]]
                name = "all"
                per = "address"
                rate = "500000/1s"
                [gateway.issuer.all]
                issuer = "{issuer}"
                audience = ["{audience}"]
                algorithms = ["HS256"]
                secret_file = "{secret}"
                "#
            )
        }
        Scenario::Merged => String::from(
            r#"
            [[gateway.compose]]
            name = "merged"
            path = "/merged"
            [gateway.compose.part]
            one = { get = "/v1/things/1", required = true }
            two = { get = "/v1/things/2", required = true }
            three = { get = "/v1/things/3", required = true }
            "#,
        ),
    });
    Ok(table)
}
