//! `rialto gateway`: looking at a table of routes without a server.

use gateway::explain::{Explainer, Explanation};
use gateway::export::{ExportError, Host, Vendor, export};
use gateway::{Source, TableErrors};
use http::HeaderMap;
use http::header::HOST;

use super::{Exit, Failure, Outcome, json};
use crate::cli::{ExplainRequest, ExportFor, GatewayCommand, Global};
use crate::terminal::{good, odd_aside, say, whisper};

pub(crate) fn run(global: &Global, command: GatewayCommand) -> Outcome {
    match command {
        GatewayCommand::Check { file } => check(table(global, file)),
        GatewayCommand::Explain(request) => explain(global, request),
        GatewayCommand::Export {
            file,
            vendor,
            hosts,
        } => write(table(global, file), vendor, &hosts),
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
    let answer = match &explanation {
        Explanation::ToShop { answer, .. } => answer,
        explanation => explanation,
    };
    let refused = matches!(
        answer,
        Explanation::Nobody | Explanation::OtherMethods { .. } | Explanation::Refused { .. }
    );
    Ok(if refused { Exit::Look } else { Exit::Done })
}

fn write(source: Option<Source>, vendor: ExportFor, hosts: &[Host]) -> Outcome {
    let Some(source) = source else {
        return Err(Failure::usage(
            "there is no table to export: name a file, or set gateway.routes",
        ));
    };
    let vendor = match vendor {
        ExportFor::Plain => Vendor::Plain,
        ExportFor::Kong => Vendor::Kong,
        ExportFor::Apigee => Vendor::Apigee,
        ExportFor::Aws => Vendor::Aws,
        ExportFor::Azure => Vendor::Azure,
    };
    let exported = export(&source, vendor, hosts).map_err(|error| match error {
        ExportError::Table(errors) => wrong(errors),
        ExportError::NoRoute { .. } => Failure::usage(format!(
            "--host: {error}; name one of them, or none for all"
        )),
    })?;
    for line in &exported.left_out {
        whisper(format_args!("{} {line}", odd_aside("not said:")));
    }
    say(json(&exported.document)?)?;
    Ok(Exit::Done)
}

/// The table that is named, or that of the configuration.
fn table(global: &Global, named: Option<String>) -> Option<Source> {
    let text = named.or_else(|| global.layers().section("gateway").optional("routes"));
    text.map(|text| Source::new(&text))
}

fn explainer(source: Option<Source>) -> Result<Explainer, Failure> {
    Explainer::new(source.as_ref(), rialto::all_routes()).map_err(wrong)
}

fn wrong(errors: TableErrors) -> Failure {
    Failure {
        exit: Exit::Wrong,
        message: errors.to_string(),
    }
}
