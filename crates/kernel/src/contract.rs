//! Calls between services: declared once, made as a method call where both run in one process and
//! over the wire where they do not. See [`service_contract!`](crate::service_contract).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Problem;
use crate::problem::{Kind, codes};

/// What every contract method returns.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Problem>> + Send + 'a>>;

/// Names one method of one contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Operation {
    /// The service that answers: `product`.
    pub service: &'static str,
    /// The method: `reserve_stock`.
    pub method: &'static str,
}

/// How calls reach a service: measures those that stay in the process, carries those that leave
/// it.
pub trait Transport: std::fmt::Debug + Send + Sync + 'static {
    /// Runs a call that stays in the process, under the same metrics and span as one that leaves
    /// it.
    fn local<'a>(&'a self, operation: Operation, call: Answer<'a, ()>) -> Answer<'a, ()>;
    /// Sends a request (JSON) to another process and returns its answer (JSON).
    fn remote(&self, operation: Operation, request: Vec<u8>) -> Answer<'_, Vec<u8>>;
}

/// Serves a contract to other processes.
pub trait Dispatch: Send + Sync + 'static {
    /// The service's name, as in [`Operation::service`].
    fn service(&self) -> &'static str;
    /// The methods that it answers.
    fn methods(&self) -> &'static [&'static str];
    /// Answers a call; an unknown method is a problem.
    fn dispatch<'a>(&'a self, method: &'a str, request: &'a [u8]) -> Answer<'a, Vec<u8>>;
}

/// Where the service of a client is.
#[derive(Debug)]
pub enum Link<A: ?Sized> {
    /// In this process.
    Local(Arc<A>, Arc<dyn Transport>),
    /// In another one.
    Remote(Arc<dyn Transport>),
}

impl<A: ?Sized> Clone for Link<A> {
    fn clone(&self) -> Self {
        match self {
            Self::Local(api, transport) => Self::Local(api.clone(), transport.clone()),
            Self::Remote(transport) => Self::Remote(transport.clone()),
        }
    }
}

impl<A: ?Sized> Link<A> {
    #[doc(hidden)]
    pub async fn call<Q: Serialize + Send, R: DeserializeOwned + Send>(
        &self,
        operation: Operation,
        request: Q,
        method: impl for<'a> FnOnce(&'a A, Q) -> Answer<'a, R> + Send,
    ) -> Result<R, Problem>
    where
        A: Send + Sync,
    {
        match self {
            Self::Local(api, transport) => {
                let mut answer = None;
                let call = Box::pin(async {
                    answer = Some(method(api, request).await?);
                    Ok(())
                });
                transport.local(operation, call).await?;
                answer.ok_or_else(|| unreadable(operation, "the call was not made"))
            }
            Self::Remote(transport) => {
                let request = serde_json::to_vec(&request).expect("requests are plain data");
                let answer = transport.remote(operation, request).await?;
                serde_json::from_slice(&answer).map_err(|error| unreadable(operation, error))
            }
        }
    }
}

fn unreadable(operation: Operation, why: impl std::fmt::Display) -> Problem {
    let Operation { service, method } = operation;
    Problem::new(
        Kind::Internal,
        codes::INTERNAL,
        format!("answer of {service}.{method}: {why}"),
    )
}

#[doc(hidden)]
pub async fn answer<Q: DeserializeOwned, R: Serialize>(
    request: &[u8],
    method: impl AsyncFnOnce(Q) -> Result<R, Problem>,
) -> Result<Vec<u8>, Problem> {
    let request = serde_json::from_slice(request).map_err(|error| {
        Problem::new(
            Kind::Malformed,
            codes::MALFORMED,
            format!("contract request: {error}"),
        )
    })?;
    Ok(serde_json::to_vec(&method(request).await?).expect("answers are plain data"))
}

#[doc(hidden)]
pub fn unknown_method(service: &str, method: &str) -> Problem {
    Problem::new(
        Kind::NotFound,
        codes::NO_ROUTE,
        format!("{service} has no method {method}"),
    )
}

/// Declares what other services may ask of a service: the trait that it implements, the client
/// that the others hold, and the server that brings calls from other processes to the trait.
///
/// Callers hold the client and cannot tell whether the service runs beside them. Errors cross as
/// [`Problem`], code intact.
///
/// ```
/// kernel::service_contract! {
///     /// What other services may ask of the clock maker.
///     pub trait ClockApi, client ClockClient, server ClockServer, service "clock" {
///         /// The hour in a city.
///         hour(String) -> u8;
///     }
/// }
///
/// struct Maker;
/// impl ClockApi for Maker {
///     fn hour(&self, city: String) -> kernel::contract::Answer<'_, u8> {
///         Box::pin(async move { Ok(if city == "Venice" { 12 } else { 11 }) })
///     }
/// }
/// ```
#[macro_export]
macro_rules! service_contract {
    (
        $(#[$doc:meta])*
        pub trait $api:ident, client $client:ident, server $server:ident, service $service:literal {
            $($(#[$method_doc:meta])* $method:ident($request:ty) -> $response:ty;)+
        }
    ) => {
        $(#[$doc])*
        pub trait $api: Send + Sync + 'static {
            $($(#[$method_doc])*
            fn $method(&self, request: $request) -> $crate::contract::Answer<'_, $response>;)+
        }

        #[doc = concat!("Asks the ", $service, " service, wherever it runs. Cheap to clone.")]
        #[derive(Clone)]
        pub struct $client($crate::contract::Link<dyn $api>);

        impl $client {
            /// A client of a service in this process.
            pub fn local(
                api: ::std::sync::Arc<dyn $api>,
                transport: ::std::sync::Arc<dyn $crate::contract::Transport>,
            ) -> Self {
                Self($crate::contract::Link::Local(api, transport))
            }

            /// A client of a service in another process.
            pub fn remote(transport: ::std::sync::Arc<dyn $crate::contract::Transport>) -> Self {
                Self($crate::contract::Link::Remote(transport))
            }

            $($(#[$method_doc])*
            pub async fn $method(&self, request: $request) -> Result<$response, $crate::Problem> {
                const OPERATION: $crate::contract::Operation = $crate::contract::Operation {
                    service: $service,
                    method: stringify!($method),
                };
                self.0.call(OPERATION, request, |api, request| api.$method(request)).await
            })+
        }

        impl ::std::fmt::Debug for $client {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(stringify!($client))
            }
        }

        #[doc = concat!("Serves the ", $service, " service to other processes.")]
        pub struct $server(pub ::std::sync::Arc<dyn $api>);

        impl $crate::contract::Dispatch for $server {
            fn service(&self) -> &'static str {
                $service
            }

            fn methods(&self) -> &'static [&'static str] {
                &[$(stringify!($method)),+]
            }

            fn dispatch<'a>(
                &'a self,
                method: &'a str,
                request: &'a [u8],
            ) -> $crate::contract::Answer<'a, Vec<u8>> {
                Box::pin(async move {
                    match method {
                        $(stringify!($method) => {
                            let call = async |request| self.0.$method(request).await;
                            $crate::contract::answer(request, call).await
                        })+
                        _ => Err($crate::contract::unknown_method($service, method)),
                    }
                })
            }
        }
    };
}
