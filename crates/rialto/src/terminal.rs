//! Writing to the terminal: coloured where one is, plain where not.

use std::fmt::Display;
use std::io::{self, Write};

use console::{StyledObject, style};

/// Writes a line to standard output.
pub(crate) fn say(text: impl Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// Writes a part of a line, or several lines, to standard output.
pub(crate) fn say_part(text: impl Display) -> io::Result<()> {
    write!(io::stdout().lock(), "{text}")
}

/// Writes a line to standard error.
pub(crate) fn whisper(text: impl Display) {
    // Nobody is left to be told that nobody listens.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Tells on standard error why the command failed.
pub(crate) fn complain(message: &str) {
    if !message.is_empty() {
        whisper(format_args!(
            "{} {message}",
            style("error:").red().bold().for_stderr()
        ));
    }
}

/// What went well, on standard output.
pub(crate) fn good<T>(text: T) -> StyledObject<T> {
    style(text).green()
}

/// What needs a look, on standard output.
pub(crate) fn odd<T>(text: T) -> StyledObject<T> {
    style(text).yellow()
}

/// What is broken, on standard output.
pub(crate) fn bad<T>(text: T) -> StyledObject<T> {
    style(text).red()
}

/// What needs a look, on standard error.
pub(crate) fn odd_aside<T>(text: T) -> StyledObject<T> {
    style(text).yellow().for_stderr()
}

/// What matters less, on standard output.
pub(crate) fn faint<T>(text: T) -> StyledObject<T> {
    style(text).dim()
}

/// Rows in columns as wide as their longest text; the last column is as long as it likes.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let texts = rows.iter().map(|row| row[column].chars().count());
        texts
            .chain([head[column].chars().count()])
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![faint(line(head.to_vec())).to_string()];
    lines.extend(
        rows.iter()
            .map(|row| line(row.iter().map(String::as_str).collect())),
    );
    lines.join("\n")
}
