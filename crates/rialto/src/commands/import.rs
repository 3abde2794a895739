//! `rialto import products`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use product::{ImportSettings, ImportSummary, Rejection, Watch, import_products};
use rialto::Role;
use serde::Serialize;

use super::{Exit, Failure, Outcome, migrated, settings};
use crate::cli::{Global, ImportCommand, ImportProducts};
use crate::terminal::{good, odd, odd_aside, say, say_part, whisper};

pub(crate) async fn run(global: &Global, command: ImportCommand) -> Outcome {
    let ImportCommand::Products(import) = command;
    let (file, length) = open(&import.file)?;
    let (layers, settings) = settings(global)?;
    let db = migrated(&layers, &settings, Role::Product).await?;
    let how = ImportSettings {
        currency: import.currency.unwrap_or(settings.product.currency),
        stock: import.stock,
        dry_run: import.dry_run,
    };
    let mut teller = Teller {
        bar: bar(length)?,
        json: import.json,
        told: 0,
        failed: None,
    };
    let done = Box::pin(import_products(&db, file, &how, &mut teller)).await;
    teller.bar.finish_and_clear();
    db.close().await;
    let summary = done.map_err(|error| Failure::of_file(&import.file, error))?;
    if let Some(error) = teller.failed.take() {
        return Err(error.into());
    }
    if import.json {
        teller.finish_json(&import, &summary)?;
    } else {
        tell(&import, &summary)?;
    }
    let left_out = summary.rejected + summary.unreadable;
    Ok(if left_out == 0 {
        Exit::Done
    } else {
        Exit::Look
    })
}

/// The file, and how long it is, where that is known.
fn open(path: &Path) -> Result<(Box<dyn Read>, Option<u64>), Failure> {
    if path == Path::new("-") {
        return Ok((Box::new(io::stdin().lock()), None));
    }
    let file = File::open(path).map_err(|error| Failure::of_file(path, error))?;
    let length = file.metadata().ok().map(|metadata| metadata.len());
    Ok((Box::new(file), length))
}

/// Shown where standard error is a terminal.
fn bar(length: Option<u64>) -> Result<ProgressBar, Failure> {
    let (bar, template) = match length {
        Some(length) => (
            ProgressBar::new(length),
            "{wide_bar} {bytes}/{total_bytes} {msg}",
        ),
        None => (ProgressBar::no_length(), "{spinner} {bytes} {msg}"),
    };
    Ok(bar.with_style(ProgressStyle::with_template(template)?))
}

/// Tells each rejection as it comes: there may be more of them than memory.
struct Teller {
    bar: ProgressBar,
    json: bool,
    told: u64,
    /// Why nobody can be told any more.
    failed: Option<io::Error>,
}

impl Watch for Teller {
    fn rejected(&mut self, rejection: &Rejection) {
        if self.json {
            let written = self.write_json(rejection);
            self.failed = self.failed.take().or(written.err());
        } else {
            self.bar.suspend(|| {
                whisper(format_args!(
                    "{} {}",
                    odd_aside("left out:"),
                    text(rejection)
                ))
            });
        }
        self.told += 1;
    }

    fn progress(&mut self, bytes: u64, so_far: &ImportSummary) {
        let products = so_far.added + so_far.changed + so_far.unchanged + so_far.rejected;
        let millis = self.bar.elapsed().as_millis().max(1);
        let rate = u128::from(products) * 1000 / millis;
        self.bar.set_position(bytes);
        self.bar
            .set_message(format!("{products} products, {rate}/s"));
    }
}

/// The report, as it is when it is whole.
#[derive(Serialize)]
struct Report<'a> {
    dry_run: bool,
    #[serde(flatten)]
    summary: &'a ImportSummary,
}

impl Teller {
    fn write_json(&self, rejection: &Rejection) -> io::Result<()> {
        let before = if self.told == 0 {
            "{\"rejections\": [\n"
        } else {
            ",\n"
        };
        say_part(format_args!(
            "{before}  {}",
            serde_json::to_string(rejection)?
        ))
    }

    /// Ends the document that the first rejection has begun.
    fn finish_json(&self, import: &ImportProducts, summary: &ImportSummary) -> io::Result<()> {
        let dry_run = import.dry_run;
        let report = serde_json::to_string(&Report { dry_run, summary })?;
        let (before, rest) = (
            if self.told == 0 {
                "{\"rejections\": ["
            } else {
                "\n"
            },
            &report[1..],
        );
        say(format_args!("{before}], {rest}"))
    }
}

fn text(rejection: &Rejection) -> String {
    let Rejection {
        line,
        column,
        handle,
        reason,
    } = rejection;
    let handle = handle.as_ref().map(|handle| format!(", product {handle}"));
    let column = column.as_ref().map(|column| format!(", {column}"));
    let (handle, column) = (handle.unwrap_or_default(), column.unwrap_or_default());
    format!("line {line}{handle}{column}: {reason}")
}

fn tell(import: &ImportProducts, summary: &ImportSummary) -> io::Result<()> {
    let ImportSummary {
        lines,
        added,
        changed,
        unchanged,
        rejected,
        unreadable,
        stock_set,
        ignored_columns,
    } = summary;
    if !ignored_columns.is_empty() {
        let ignored = ignored_columns.join(", ");
        say(format_args!("{} {ignored}", odd("columns not used:")))?;
    }
    let what = if import.dry_run {
        odd("would be imported:")
    } else {
        good("imported:")
    };
    let unreadable = match unreadable {
        0 => String::new(),
        some => format!(", {some} of them unreadable"),
    };
    let stock_set = match stock_set {
        0 => String::new(),
        1 => String::from("; stock set once"),
        some => format!("; stock set {some} times"),
    };
    say(format_args!(
        "{what} {added} added, {changed} changed, {unchanged} unchanged, {rejected} rejected; \
         {lines} lines{unreadable}{stock_set}"
    ))
}
