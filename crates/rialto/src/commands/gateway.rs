//! `rialto gateway`: looking at a table of routes without a server.

use std::path::PathBuf;

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

fn check(file: Option<PathBuf>) -> Outcome {
    let Some(file) = file else {
        return Err(Failure::usage(
            "there is no table to check: name a file, or set gateway.routes",
        ));
    };
    let summary = explainer(Some(file))?.summary();
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
    let answered = matches!(
        explanation,
        Explanation::Upstream { .. } | Explanation::Redirect { .. } | Explanation::Shop { .. }
    );
    Ok(if answered { Exit::Done } else { Exit::Look })
}

/// The file that is named, or that of the configuration.
fn table(global: &Global, file: Option<PathBuf>) -> Option<PathBuf> {
    file.or_else(|| global.layers().section("gateway").optional("routes"))
}

fn explainer(file: Option<PathBuf>) -> Result<Explainer, Failure> {
    Explainer::new(file.as_deref(), rialto::all_routes()).map_err(|errors| Failure {
        exit: Exit::Wrong,
        message: errors.to_string(),
    })
}
