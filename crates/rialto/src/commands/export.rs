//! `rialto export products`.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use product::{ExportError, ExportSettings, ExportSummary, export_products};
use rialto::Role;

use super::{Exit, Failure, Outcome, migrated, settings};
use crate::cli::{ExportCommand, Global};
use crate::terminal::whisper;

pub(crate) async fn run(global: &Global, command: ExportCommand) -> Outcome {
    let ExportCommand::Products(export) = command;
    let (layers, settings) = settings(global)?;
    let db = migrated(&layers, &settings, Role::Product).await?;
    let how = ExportSettings {
        currency: export.currency.unwrap_or(settings.product.currency),
        status: export.status,
    };
    let path = export.file.filter(|path| path != Path::new("-"));
    let file: Box<dyn Write> = match &path {
        Some(path) => Box::new(File::create(path).map_err(|error| Failure::of_file(path, error))?),
        None => Box::new(io::stdout().lock()),
    };
    let done = Box::pin(export_products(&db, file, &how)).await;
    db.close().await;
    let ExportSummary { products, lines } = done.map_err(|error| match (error, &path) {
        (error, Some(path)) => Failure::of_file(path, error),
        // Perhaps only because nobody reads on.
        (ExportError::Write(error), None) => error.into(),
        (error, None) => error.into(),
    })?;
    whisper(format_args!(
        "exported: {products} products in {lines} lines"
    ));
    Ok(Exit::Done)
}
