//! Slowing down those who guess passwords, or flood others with mails.
//!
//! Attempts are counted before they are judged, so that many at once gain nothing; those that turn
//! out right, or could not be judged, are taken back.

use std::time::Duration;

use kernel::Email;
use platform::cache::Cache;
use platform::http::ClientAddress;

use crate::session::Owner;
use crate::{Config, UserError};

/// Counts attempts. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Throttle {
    cache: Cache,
    attempts: u32,
    client_attempts: u32,
    mails: u32,
    window: Duration,
}

/// Whose password is tried, and from where, as keys of the cache.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    account: String,
    client: Option<String>,
}

impl Attempt {
    /// At the log-in of a customer.
    pub(crate) fn of_customer(email: &Email, client: Option<ClientAddress>) -> Self {
        Self::new(format!("log-in/customer/{email}"), client)
    }

    /// At the log-in of a member of staff.
    pub(crate) fn of_staff(email: &Email, client: Option<ClientAddress>) -> Self {
        Self::new(format!("log-in/staff/{email}"), client)
    }

    /// At the present password of somebody who has logged in: it must not lock out their log-in.
    pub(crate) fn of_owner(owner: Owner, client: Option<ClientAddress>) -> Self {
        Self::new(format!("password/{}", owner.uuid()), client)
    }

    fn new(account: String, client: Option<ClientAddress>) -> Self {
        let client = client.map(|client| format!("log-in/client/{}", client.network()));
        Self { account, client }
    }
}

impl Throttle {
    pub(crate) fn new(cache: Cache, config: &Config) -> Self {
        Self {
            cache,
            attempts: config.throttle_attempts,
            client_attempts: config.throttle_client_attempts,
            mails: config.throttle_mails,
            window: config.throttle_window,
        }
    }

    /// Runs `judge` unless too many attempts were wrong. A wrong one stays counted, a right one
    /// forgets those at its account, and one that could not be judged counts for nothing.
    pub(crate) async fn guard<T>(
        &self,
        attempt: &Attempt,
        judge: impl Future<Output = Result<T, UserError>>,
    ) -> Result<T, UserError> {
        self.enter(attempt).await?;
        let judged = judge.await;
        match &judged {
            Err(UserError::WrongCredentials | UserError::WrongPassword) => return judged,
            Ok(_) => self.cache.forget(&attempt.account).await,
            Err(_) => self.cache.take_back(&attempt.account).await,
        }
        // One right log-in says nothing about the others from the same address.
        if let Some(client) = &attempt.client {
            self.cache.take_back(client).await;
        }
        judged
    }

    /// Forgets the failed log-ins of a customer, who has proved to be themself in another way.
    pub(crate) async fn forgive(&self, email: &Email) {
        let attempt = Attempt::of_customer(email, None);
        self.cache.forget(&attempt.account).await;
    }

    /// Counts one more mail for a purpose to `email`; fails above the limit.
    pub(crate) async fn count_mail(&self, purpose: &str, email: &Email) -> Result<(), UserError> {
        let key = format!("mail/{purpose}/{email}");
        let (count, left) = self.cache.count(&key, self.window).await;
        if count > self.mails {
            return Err(UserError::TooManyMails {
                seconds: seconds(left),
            });
        }
        Ok(())
    }

    async fn enter(&self, attempt: &Attempt) -> Result<(), UserError> {
        let throttled = |left| UserError::Throttled {
            seconds: seconds(left),
        };
        let (count, left) = self.cache.count(&attempt.account, self.window).await;
        if count > self.attempts {
            return Err(throttled(left));
        }
        let Some(client) = &attempt.client else {
            return Ok(());
        };
        let (count, left) = self.cache.count(client, self.window).await;
        if count > self.client_attempts {
            // A client that is shut out does not lock anybody else out.
            self.cache.take_back(&attempt.account).await;
            return Err(throttled(left));
        }
        Ok(())
    }
}

/// Whole seconds, rounded up.
fn seconds(left: Duration) -> u32 {
    let whole = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    u32::try_from(whole).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_count_together() {
        let address = |text: &str| ClientAddress(text.parse().expect("an address"));
        let network = |text: &str| address(text).network().to_string();
        assert_eq!(
            network("2001:db8:1:2:3:4:5:6"),
            network("2001:db8:1:2:ffff::1")
        );
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.1"), "192.0.2.1");
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }

    #[test]
    fn seconds_are_rounded_up() {
        assert_eq!(seconds(Duration::from_millis(1)), 1);
        assert_eq!(seconds(Duration::from_millis(60_001)), 61);
        assert_eq!(seconds(Duration::ZERO), 1);
    }
}
