//! `rialto gateway`: looking at a table of routes without a server.

use gateway::Source;
use gateway::explain::{Explainer, Explanation};
use http::HeaderMap;
use http::header::HOST;

use super::{Exit, Failure, Outcome, json};
use crate::cli::{ExplainRequest, GatewayCommand, Global};
use crate::terminal::{good, say};

pub(crate) fn run(global: &Global, command: GatewayCommand) -> Outcome {
    match command {
        GatewayCommand::Check { file } => check(table(global, file)),
        GatewayCommand::Explain(request) => explain(global, request),
    }
}

fn check(source: Option<Source>) -> Outcome {
    let Some(source) = source else {
        return Err(Failure::usage(
            "there is no table to check: name a file, or set gateway.routes",
        ));
    };
    let summary = explainer(Some(source))?.summary();
    let (routes, upstreams) = (summary.routes, summary.upstreams);
    say(format_args!(
        "{} {routes} routes, {upstreams} upstreams",
        good("fine:")
    ))?;
    Ok(Exit::Done)
}

fn explain(global: &Global, request: ExplainRequest) -> Outcome {
    let explainer = explainer(table(global, request.routes))?;
    let mut headers: HeaderMap = request.headers.into_iter().collect();
    if let Some(host) = request.target.authority()
        && let Ok(host) = host.as_str().parse()
    {
        headers.insert(HOST, host);
    }
    let explanation = explainer.explain(&request.method, &request.target, &headers);
    if request.json {
        say(json(&explanation)?)?;
    } else {
        say(&explanation)?;
    }
    let refused = matches!(
        explanation,
        Explanation::Nobody | Explanation::OtherMethods { .. } | Explanation::Refused { .. }
    );
    Ok(if refused { Exit::Look } else { Exit::Done })
}

/// The table that is named, or that of the configuration.
fn table(global: &Global, named: Option<String>) -> Option<Source> {
    let text = named.or_else(|| global.layers().section("gateway").optional("routes"));
    text.map(|text| Source::new(&text))
}

fn explainer(source: Option<Source>) -> Result<Explainer, Failure> {
    Explainer::new(source.as_ref(), rialto::all_routes()).map_err(|errors| Failure {
        exit: Exit::Wrong,
        message: errors.to_string(),
    })
}
