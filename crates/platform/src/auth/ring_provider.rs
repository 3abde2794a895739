//! The cryptography of `jsonwebtoken` by `ring`, which TLS brings along anyway: one cryptographic
//! provider in the program. It signs with EdDSA, and verifies what issuers elsewhere sign with too.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, EncodingKey};
use ring::hmac;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, Ed25519KeyPair,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use signature::{Error, Signer, Verifier};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes `jsonwebtoken` use `ring`; does nothing the second time.
pub fn install() {
    let _ = PROVIDER.install_default();
}

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    if *algorithm != Algorithm::EdDSA {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    let pair =
        Ed25519KeyPair::from_pkcs8(key.as_bytes()).map_err(|_| ErrorKind::InvalidEddsaKey)?;
    Ok(Box::new(EdDsaSigner(pair)))
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    // The type of the key decides which algorithms there are: a public key is never the secret of
    // an HMAC.
    if key.family() != algorithm.family() {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    let public = |how: &'static dyn VerificationAlgorithm| -> Result<By> {
        let bytes = key.try_get_as_bytes()?.to_vec();
        Ok(By::Public(UnparsedPublicKey::new(how, bytes)))
    };
    let by = match algorithm {
        Algorithm::EdDSA => public(&ED25519)?,
        Algorithm::ES256 => public(&ECDSA_P256_SHA256_FIXED)?,
        Algorithm::ES384 => public(&ECDSA_P384_SHA384_FIXED)?,
        Algorithm::RS256 => rsa(&RSA_PKCS1_2048_8192_SHA256, key)?,
        Algorithm::RS384 => rsa(&RSA_PKCS1_2048_8192_SHA384, key)?,
        Algorithm::RS512 => rsa(&RSA_PKCS1_2048_8192_SHA512, key)?,
        Algorithm::PS256 => rsa(&RSA_PSS_2048_8192_SHA256, key)?,
        Algorithm::PS384 => rsa(&RSA_PSS_2048_8192_SHA384, key)?,
        Algorithm::PS512 => rsa(&RSA_PSS_2048_8192_SHA512, key)?,
        Algorithm::HS256 => By::Secret(hmac::Key::new(hmac::HMAC_SHA256, key.try_get_as_bytes()?)),
        _ => return Err(ErrorKind::InvalidAlgorithm.into()),
    };
    Ok(Box::new(RingVerifier {
        algorithm: *algorithm,
        by,
    }))
}

fn rsa(how: &'static RsaParameters, key: &DecodingKey) -> Result<By> {
    let DecodingKeyKind::RsaModulusExponent { n, e } = key.kind() else {
        return Err(ErrorKind::InvalidKeyFormat.into());
    };
    // `ring` reads numbers in their shortest form; some issuers publish a zero before them.
    let short = |number: &[u8]| {
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        number[zeros..].to_vec()
    };
    let key = RsaPublicKeyComponents {
        n: short(n),
        e: short(e),
    };
    Ok(By::Rsa(how, key))
}

struct EdDsaSigner(Ed25519KeyPair);

impl Signer<Vec<u8>> for EdDsaSigner {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}

impl JwtSigner for EdDsaSigner {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

struct RingVerifier {
    algorithm: Algorithm,
    by: By,
}

enum By {
    Public(UnparsedPublicKey<Vec<u8>>),
    Rsa(&'static RsaParameters, RsaPublicKeyComponents<Vec<u8>>),
    Secret(hmac::Key),
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        let verified = match &self.by {
            By::Public(key) => key.verify(message, signature),
            By::Rsa(how, key) => key.verify(how, message, signature),
            By::Secret(key) => hmac::verify(key, message, signature),
        };
        verified.map_err(|_| Error::new())
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::crypto::verify;
    use ring::rand::SystemRandom;
    use ring::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
    };

    use super::super::base64url;
    use super::*;

    const MESSAGE: &[u8] = b"head.claims";

    fn elliptic(how: &'static EcdsaSigningAlgorithm) -> (DecodingKey, String) {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(how, &random).expect("generated");
        let pair = EcdsaKeyPair::from_pkcs8(how, document.as_ref(), &random).expect("a key");
        let signature = pair.sign(&random, MESSAGE).expect("signed");
        let key = DecodingKey::from_ec_der(pair.public_key().as_ref());
        (key, base64url(signature.as_ref()))
    }

    fn rsa_pair() -> RsaKeyPair {
        // Made for this test; `ring` makes no RSA keys.
        RsaKeyPair::from_pkcs8(include_bytes!("test_rsa.der")).expect("a key")
    }

    fn rsa(how: &'static dyn RsaEncoding) -> (DecodingKey, String) {
        let pair = rsa_pair();
        let mut signature = vec![0; pair.public().modulus_len()];
        pair.sign(how, &SystemRandom::new(), MESSAGE, &mut signature)
            .expect("signed");
        let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
        let padded = [vec![0], public.n].concat();
        let key = DecodingKey::from_rsa_raw_components(&padded, &public.e);
        (key, base64url(&signature))
    }

    fn secret() -> (DecodingKey, String) {
        let secret = [7; 32];
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), MESSAGE);
        (DecodingKey::from_secret(&secret), base64url(tag.as_ref()))
    }

    #[test]
    fn each_key_verifies_with_its_algorithm_and_with_no_other() {
        install();
        let keys = [
            (Algorithm::ES256, elliptic(&ECDSA_P256_SHA256_FIXED_SIGNING)),
            (Algorithm::ES384, elliptic(&ECDSA_P384_SHA384_FIXED_SIGNING)),
            (Algorithm::RS256, rsa(&RSA_PKCS1_SHA256)),
            (Algorithm::PS256, rsa(&RSA_PSS_SHA256)),
            (Algorithm::HS256, secret()),
        ];
        let ways = [
            Algorithm::EdDSA,
            Algorithm::ES256,
            Algorithm::ES384,
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::PS256,
            Algorithm::HS256,
            Algorithm::HS384,
        ];
        for (right, (key, signature)) in &keys {
            for way in ways {
                let verified = verify(signature, MESSAGE, key, way).unwrap_or(false);
                assert_eq!(verified, way == *right, "{right:?} as {way:?}");
            }
            let forged = verify(signature, b"head.other", key, *right);
            assert!(!forged.unwrap_or(false), "{right:?}");
        }
    }

    #[test]
    fn a_public_key_is_no_secret() {
        install();
        let (key, _) = elliptic(&ECDSA_P256_SHA256_FIXED_SIGNING);
        let public = key.try_get_as_bytes().expect("bytes");
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, public), MESSAGE);
        let forged = base64url(tag.as_ref());
        assert!(verify(&forged, MESSAGE, &key, Algorithm::HS256).is_err());
    }
}
