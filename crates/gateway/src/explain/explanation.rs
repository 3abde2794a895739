//! What is told of a request.

use std::fmt;

use serde::Serialize;

use super::Policy;

/// What would become of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "answered_by")]
pub enum Explanation {
    /// A route of the table leads to an upstream.
    Upstream {
        /// The route.
        route: String,
        /// Its path.
        template: String,
        /// The upstreams, and their shares of all requests.
        upstreams: Vec<(String, u64)>,
        /// Their servers.
        servers: Vec<String>,
        /// What they see.
        target: String,
        /// What it does with requests, in the order in which they meet it.
        policies: Vec<Policy>,
        /// What the request is checked by.
        #[serde(skip_serializing_if = "Option::is_none")]
        checked_by: Option<String>,
    },
    /// A route of the table leads to the shop.
    ToShop {
        /// The route.
        route: String,
        /// Its path.
        template: String,
        /// What the shop sees.
        target: String,
        /// What becomes of that there.
        answer: Box<Explanation>,
        /// What the route does with requests, in the order in which they meet it.
        policies: Vec<Policy>,
        /// What the request is checked by.
        #[serde(skip_serializing_if = "Option::is_none")]
        checked_by: Option<String>,
    },
    /// An answer that is put together.
    Compose {
        /// The route.
        route: String,
        /// Its parts, and what is asked for.
        parts: Vec<(String, String)>,
    },
    /// A route of the table sends the client elsewhere.
    Redirect {
        /// The route.
        route: String,
        /// The status.
        status: u16,
        /// Where to.
        location: String,
    },
    /// An operation of the shop.
    Shop {
        /// The role that has it.
        role: String,
        /// The operation.
        operation: String,
        /// Its path.
        template: String,
        /// Who may call it.
        access: String,
    },
    /// Nobody: 404.
    Nobody,
    /// The path is there, with other methods: 405.
    OtherMethods {
        /// Which.
        methods: Vec<String>,
    },
    /// The path is refused: 400.
    Refused {
        /// Why.
        problem: String,
    },
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upstream {
                route,
                template,
                upstreams,
                servers,
                target,
                policies,
                checked_by,
            } => {
                let all: u64 = upstreams.iter().map(|(_, share)| share).sum();
                writeln!(f, "route      {route} ({template})")?;
                for (name, share) in upstreams {
                    writeln!(f, "upstream   {name}, {share} of {all} requests")?;
                }
                checked(f, checked_by.as_deref())?;
                write!(f, "servers    {}\nthey see   {target}", known(servers))?;
                does(f, policies)
            }
            Self::ToShop {
                route,
                template,
                target,
                answer,
                policies,
                checked_by,
            } => {
                writeln!(f, "route      {route} ({template})")?;
                checked(f, checked_by.as_deref())?;
                write!(f, "shop sees  {target}\n{answer}")?;
                does(f, policies)
            }
            Self::Redirect {
                route,
                status,
                location,
            } => write!(
                f,
                "route      {route}\nanswer     {status}, Location: {location}"
            ),
            Self::Shop {
                role,
                operation,
                template,
                access,
            } => write!(
                f,
                "operation  {operation} ({template})\nrole       {role}\naccess     {access}"
            ),
            Self::Compose { route, parts } => {
                write!(f, "route      {route}")?;
                let mut parts = parts.iter();
                parts.try_for_each(|(name, get)| write!(f, "\npart       {name}: GET {get}"))
            }
            Self::Nobody => f.write_str("answer     404: no route has this path"),
            Self::OtherMethods { methods } => {
                write!(f, "answer     405: the path has {}", methods.join(", "))
            }
            Self::Refused { problem } => write!(f, "answer     400: {problem}"),
        }
    }
}

fn checked(f: &mut fmt::Formatter<'_>, by: Option<&str>) -> fmt::Result {
    match by {
        Some(document) => writeln!(f, "checked by {document}"),
        None => Ok(()),
    }
}

fn known(servers: &[String]) -> String {
    if servers.is_empty() {
        return String::from("none known before the gateway runs");
    }
    servers.join(", ")
}

fn does(f: &mut fmt::Formatter<'_>, policies: &[Policy]) -> fmt::Result {
    let mut policies = policies.iter();
    policies.try_for_each(|(kind, says)| write!(f, "\n{kind:<10} {says}"))
}
