//! Settings of the service.

use std::time::Duration;

use platform::config::Section;

/// The section `auth` of the configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Issuer and audience of access tokens.
    pub issuer: String,
    /// How long an access token counts.
    pub access_ttl: Duration,
    /// How long a log-in lasts that nobody uses.
    pub refresh_ttl: Duration,
    /// How long the refresh token before the present one is accepted once more.
    pub refresh_grace: Duration,
    /// Sessions that one customer or member of staff may have at once; the least used ones end.
    pub sessions: u32,
    /// How long a token that was mailed to verify an address counts.
    pub verification_ttl: Duration,
    /// How long a token that was mailed to reset a password counts.
    pub reset_ttl: Duration,
    /// Failed log-ins at one e-mail address within `throttle_window` before more are refused.
    pub throttle_attempts: u32,
    /// The same for those from one client address: many people may share it.
    pub throttle_client_attempts: u32,
    /// See `throttle_attempts`.
    pub throttle_window: Duration,
    /// Mails of one kind that one e-mail address can be sent within `throttle_window`.
    pub throttle_mails: u32,
    /// Passwords that are hashed at once; each takes a core.
    pub password_hashers: usize,
    /// Passwords that may wait to be hashed; more are refused with 503.
    pub password_queue: usize,
}

impl Config {
    /// Reads the section.
    pub fn read(section: &mut Section<'_>) -> Self {
        Self {
            issuer: section.parse("issuer"),
            access_ttl: section.duration("access_ttl"),
            refresh_ttl: section.duration("refresh_ttl"),
            refresh_grace: section.duration("refresh_grace"),
            sessions: section.parse("sessions"),
            verification_ttl: section.duration("verification_ttl"),
            reset_ttl: section.duration("reset_ttl"),
            throttle_attempts: section.parse("throttle_attempts"),
            throttle_client_attempts: section.parse("throttle_client_attempts"),
            throttle_mails: section.parse("throttle_mails"),
            throttle_window: section.duration("throttle_window"),
            password_hashers: section.parse("password_hashers"),
            password_queue: section.parse("password_queue"),
        }
    }
}
