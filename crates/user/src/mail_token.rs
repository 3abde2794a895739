//! Tokens that are mailed and come back: to verify an address, to reset a password.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{CustomerId, Id, Sources};
use ring::digest;
use uuid::Uuid;

kernel::text_enum! {
    /// What a mailed token allows.
    pub(crate) enum Purpose {
        /// To verify the address.
        Verify = "verify",
        /// To set a password.
        Reset = "reset",
    }
}

/// The token of the mail, and the hash that is kept of it. The token names its customer, so that
/// looking it up pins their shard.
pub(crate) fn fresh(sources: &Sources, customer: CustomerId) -> (String, Vec<u8>) {
    let mut bytes = customer.uuid().as_bytes().to_vec();
    bytes.extend_from_slice(&sources.random::<24>());
    (URL_SAFE_NO_PAD.encode(&bytes), hash(&bytes))
}

/// Whose token it is, and its hash; `None` if it cannot be one.
pub(crate) fn read(token: &str) -> Option<(CustomerId, Vec<u8>)> {
    let bytes = URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .filter(|bytes| bytes.len() == 40)?;
    let uuid = Uuid::from_slice(&bytes[..16]).ok()?;
    Some((CustomerId::from_uuid(uuid), hash(&bytes)))
}

fn hash(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_its_customer() {
        let sources = Sources::system();
        let customer = sources.id();
        let (token, hash) = fresh(&sources, customer);
        assert_eq!(read(&token), Some((customer, hash)));
        assert_eq!(read("nonsense"), None);
    }
}
