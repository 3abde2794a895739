//! What is refused before anybody is asked for an answer: heads that cannot be read, or are too
//! long. Routes and services never hear of it; a [`Watch`] does.

use std::fmt;
use std::time::Duration;

use http::{Request, StatusCode};
use wire::Body;
use wire::server::Connection;

use crate::context::RequestContext;

/// Hears of what is refused. Clients bring it about at will, and it is called while they wait: what
/// it costs must be bounded, and little.
pub trait Watch: fmt::Debug + Send + Sync {
    /// Something is refused.
    fn refused(&self, refused: &Refused<'_>);
}

/// What was refused, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub struct Refused<'a> {
    /// What the client hears.
    pub status: StatusCode,
    /// Where it came from; nobody but tests asks without a connection.
    pub connection: Option<Connection>,
    /// The request, if its head could be read.
    pub asked: Option<Asked<'a>>,
}

/// A request that is refused for its head.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The request.
    pub request: &'a Request<Body>,
    /// Its trace.
    pub context: &'a RequestContext,
    /// Since it was here.
    pub took: Duration,
}
