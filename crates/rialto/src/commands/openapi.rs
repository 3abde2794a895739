//! `rialto openapi`: the document that `openapi/rialto.json` is a copy of.

use super::{Exit, Outcome};
use crate::terminal::say;

pub(crate) fn run() -> Outcome {
    say(rialto::openapi().to_pretty_json()?)?;
    Ok(Exit::Done)
}
