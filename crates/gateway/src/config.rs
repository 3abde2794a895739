//! Settings of the gateway.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use platform::cache::CacheUrl;
use platform::config::{Item, Section};
use platform::http::serve::Gate;
use platform::metrics::Metrics;
use wire::front::{Front, Proxies};
use wire::network::Networks;
use wire::tls::{Authorities, ClientAuth, Files, LoadErrors, Tls};

use crate::client_address::Forwarding;
use crate::table::Source;

use crate::limit::LimitSettings;
use crate::limit::settings::{Cost, Part, Per, Rate, WhenAway};

/// The section `gateway` of the configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The public listener.
    pub listen: SocketAddr,
    /// Threads that serve the public listener.
    pub workers: usize,
    /// Origins that browsers may call from.
    pub cors_origins: Vec<String>,
    /// Requests that may be answered at once.
    pub concurrency: usize,
    /// Open connections.
    pub connections: usize,
    /// Requests of one address in `rate_window`; 0 for no limit.
    pub rate_limit: u32,
    /// See `rate_limit`.
    pub rate_window: Duration,
    /// Requests that may come in a burst on top.
    pub rate_burst: u32,
    /// Routes beside those of the shop.
    pub routes: Option<Source>,
    /// Where the proxies and balancers in front are.
    pub trusted: Networks,
    /// Which fields they write.
    pub forwarded: Forwarding,
    /// Whether each connection begins with a header of the PROXY protocol.
    pub proxy_protocol: bool,
    /// Where plain HTTP is led to HTTPS.
    pub redirect_listen: Option<SocketAddr>,
    /// The port of HTTPS, as clients see it.
    pub redirect_port: u16,
    /// TLS; `None` for plain HTTP.
    pub tls: Option<wire::tls::Settings>,
    /// How often the files of TLS are looked at.
    pub tls_watch: Duration,
    /// Bytes of answers that are kept, over all routes that keep any.
    pub cache_memory: usize,
    /// What other instances have kept.
    pub cache: CacheUrl,
    /// How long asking there may take.
    pub cache_timeout: Duration,
    /// Where requests are counted.
    pub limits: CacheUrl,
    /// How long counting may take elsewhere.
    pub limits_timeout: Duration,
    /// Where what was revoked is kept for all instances.
    pub revocations: CacheUrl,
}

impl Config {
    /// Reads the section.
    pub fn read(section: &mut Section<'_>) -> Self {
        let config = Self {
            listen: section.parse("listen"),
            workers: match section.parse("workers") {
                0 => std::thread::available_parallelism().map_or(1, Into::into),
                workers => workers,
            },
            cors_origins: section.list("cors_origins"),
            concurrency: section.parse("concurrency"),
            connections: section.parse("connections"),
            rate_limit: section.parse("rate_limit"),
            rate_window: section.duration("rate_window"),
            rate_burst: section.parse("rate_burst"),
            routes: section
                .optional::<String>("routes")
                .map(|text| Source::new(&text)),
            trusted: section.list("trusted").into_iter().collect(),
            forwarded: section.parse("forwarded"),
            proxy_protocol: section.parse::<ProxyProtocol>("proxy_protocol").0,
            redirect_listen: section.optional("redirect_listen"),
            redirect_port: section.parse("redirect_port"),
            tls: tls(&mut section.section("tls")),
            tls_watch: section.section("tls").duration("watch"),
            cache_memory: section.bytes("cache_memory"),
            cache: section.parse("cache"),
            cache_timeout: section.duration("cache_timeout"),
            limits: section.parse("limits"),
            limits_timeout: section.duration("limits_timeout"),
            revocations: section.parse("revocations"),
        };
        config.check(section);
        config
    }

    /// What only several keys together show.
    fn check(&self, section: &Section<'_>) {
        if let Some(Err(wrong)) = self.limit().map(|limit| limit.check()) {
            section.report(
                "rate_limit",
                wrong,
                "a rate such as 100 in 1s with a burst of 100",
            );
        }
        if self.proxy_protocol && self.trusted.is_empty() {
            section.report(
                "proxy_protocol",
                "is required, but no network is trusted to speak it: nobody could connect",
                "name the balancers' addresses: gateway.trusted = [\"10.0.0.0/8\"]",
            );
        }
        if self.redirect_listen.is_some() && self.tls.is_none() {
            section.report(
                "redirect_listen",
                "leads to HTTPS, which is not spoken without certificates",
                "set gateway.tls.certificates, or leave it empty",
            );
        }
    }

    /// The rule for each address that all routes have in common.
    pub(crate) fn limit(&self) -> Option<LimitSettings> {
        (self.rate_limit > 0).then(|| LimitSettings {
            name: String::from("default"),
            per: Per(vec![Part::Address]),
            rate: Rate {
                count: self.rate_limit,
                window: self.rate_window,
            },
            burst: Some(self.rate_burst.saturating_add(1)),
            cost: Cost::default(),
            shadow: false,
            when_away: WhenAway::Local,
        })
    }

    /// What a connection passes before its first request: the public listener, and the one that
    /// leads there. Reads the files of TLS.
    pub fn fronts(
        &self,
        header_timeout: Duration,
        metrics: &Metrics,
    ) -> Result<Fronts, LoadErrors> {
        let proxies = self.proxy_protocol.then(|| Proxies {
            trusted: self.trusted.clone(),
            timeout: header_timeout,
        });
        let tls = self.tls.clone().map(Tls::load).transpose()?;
        let redirect = Front {
            proxies: proxies.clone(),
            tls: None,
        };
        let public = Front { proxies, tls };
        let gate = |front| Gate {
            front,
            uncounted: self.trusted.clone(),
            failed_handshakes: metrics.failed_handshakes.clone(),
            watch: None,
        };
        Ok(Fronts {
            public: gate(public),
            redirect: gate(redirect),
        })
    }
}

/// What connections pass before their first request.
#[derive(Debug, Clone, Default)]
pub struct Fronts {
    /// Those of the public listener.
    pub public: Gate,
    /// Those of the listener that leads there.
    pub redirect: Gate,
}

fn tls(section: &mut Section<'_>) -> Option<wire::tls::Settings> {
    let settings = wire::tls::Settings {
        certificates: section.tables("certificates", files),
        client_auth: client_auth(section),
        handshake_timeout: section.duration("handshake_timeout"),
        handshakes: section.parse("handshakes"),
    };
    if settings.handshakes == 0 {
        section.report(
            "handshakes",
            "is 0: nobody could connect",
            "allow one at least; 2000 is the default",
        );
    }
    if settings.certificates.is_empty() && settings.client_auth != ClientAuth::Off {
        section.report(
            "client_auth",
            "asks clients for certificates, and the server has none itself",
            "set gateway.tls.certificates",
        );
    }
    (!settings.certificates.is_empty()).then_some(settings)
}

fn files(fields: &BTreeMap<String, String>) -> Result<Files, String> {
    let expected = "expected { certificate = \"FILE\", key = \"FILE\" }";
    match (fields.get("certificate"), fields.get("key"), fields.len()) {
        (Some(certificate), Some(key), 2) => Ok(Files {
            certificate: certificate.into(),
            key: key.into(),
        }),
        _ => Err(expected.to_owned()),
    }
}

fn client_auth(section: &mut Section<'_>) -> ClientAuth {
    let revoked = section.optional("client_crl");
    let authorities = section
        .optional("client_ca")
        .map(|certificates| Authorities {
            certificates,
            revoked,
        });
    match (section.parse("client_auth"), authorities) {
        (Demand::Off, _) => ClientAuth::Off,
        (Demand::Optional, Some(authorities)) => ClientAuth::Optional(authorities),
        (Demand::Required, Some(authorities)) => ClientAuth::Required(authorities),
        (Demand::Optional | Demand::Required, None) => {
            section.report(
                "client_ca",
                "is empty, but clients are asked for certificates",
                "name a PEM file with the authorities that sign them, or set client_auth = \"off\"",
            );
            ClientAuth::Off
        }
    }
}

/// How much something is wanted of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Demand {
    Off,
    Optional,
    Required,
}

impl Item for Demand {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            "optional" => Ok(Self::Optional),
            "required" => Ok(Self::Required),
            _ => Err(String::from("expected off, optional or required")),
        }
    }

    fn stand_in() -> Self {
        Self::Off
    }
}

/// Whether the PROXY protocol is spoken: never perhaps, as a client could claim to be a balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ProxyProtocol(bool);

impl Item for ProxyProtocol {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self(false)),
            "required" => Ok(Self(true)),
            _ => Err(String::from("expected off or required")),
        }
    }

    fn stand_in() -> Self {
        Self(false)
    }
}

impl Item for Forwarding {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "x-forwarded" => Ok(Self::XForwarded),
            "forwarded" => Ok(Self::Forwarded),
            _ => Err(String::from("expected x-forwarded or forwarded")),
        }
    }

    fn stand_in() -> Self {
        Self::default()
    }
}
