//! What templates are filled in with.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode, Uri};
use minijinja::value::{Object, Serde, Value};

use crate::identity::Identity;

/// What templates are filled in with.
#[derive(Debug, Default)]
pub(crate) struct Facts<'a> {
    pub(crate) request: Option<&'a Asked>,
    pub(crate) caller: Option<&'a Identity>,
    pub(crate) response: Option<(StatusCode, &'a HeaderMap)>,
    pub(crate) body: Option<&'a serde_json::Value>,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) captures: Vec<(String, String)>,
}

impl Facts<'_> {
    /// The facts as templates see them.
    pub(crate) fn context(&self) -> Value {
        let mut context: BTreeMap<&str, Value> = BTreeMap::new();
        if let Some(asked) = self.request {
            let query = asked.uri.query().unwrap_or_default().as_bytes();
            let mut fields: BTreeMap<String, String> = BTreeMap::new();
            for (name, value) in form_urlencoded::parse(query) {
                fields.entry(name.into()).or_insert_with(|| value.into());
            }
            let captures: BTreeMap<String, String> = asked.captures.iter().cloned().collect();
            let request: BTreeMap<&str, Value> = BTreeMap::from([
                ("method", Value::from(asked.method.as_str())),
                ("path", Value::from(asked.uri.path())),
                ("query", Value::from(fields)),
                ("headers", Value::from_object(Fields(asked.headers.clone()))),
                ("captures", Value::from(captures)),
            ]);
            context.insert("request", Value::from(request));
        }
        if let Some(caller) = self.caller {
            let identity: BTreeMap<&str, Value> = BTreeMap::from([
                ("subject", Value::from(caller.subject.as_str())),
                ("scopes", Value::from(caller.scopes.clone())),
                ("roles", Value::from(caller.roles.clone())),
                ("claims", Value::from(Serde(&caller.claims))),
            ]);
            context.insert("identity", Value::from(identity));
        }
        if let Some((status, headers)) = self.response {
            let response: BTreeMap<&str, Value> = BTreeMap::from([
                ("status", Value::from(status.as_u16())),
                ("headers", Value::from_object(Fields(headers.clone()))),
            ]);
            context.insert("response", Value::from(response));
        }
        if let Some(body) = self.body {
            context.insert("body", Value::from(Serde(body)));
        }
        Value::from(context)
    }
}

/// The fields of a message: `headers.user_agent` is `User-Agent`.
#[derive(Debug)]
struct Fields(HeaderMap);

impl Object for Fields {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        let found = self.0.get(name);
        let found = found.or_else(|| self.0.get(name.replace('_', "-")));
        found?.to_str().ok().map(Value::from)
    }
}
