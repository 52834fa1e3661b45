//! Access tokens: short-lived JWTs (RFC 9068) signed with Ed25519, checked as RFC 8725 asks.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hrms_core::actor::Support;
use hrms_core::identity::Subject;
use hrms_core::jiff::{SignedDuration, Timestamp};
use hrms_core::support::SupportAccess;
use hrms_core::{SessionId, SupportGrantId, TenantId, UserId};
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// The `typ` of our access tokens; no other kind of token is taken for one.
const TYPE: &str = "at+jwt";
/// Whom access tokens are for.
const AUDIENCE: &str = "hrms-api";
/// How far the clocks of two nodes may be apart.
const LEEWAY: SignedDuration = SignedDuration::from_secs(5);
/// The longest token that is looked at. Ours have about 600 bytes.
const MAX_BYTES: usize = 2048;
/// The longest life of a token.
const MAX_LIFE: SignedDuration = SignedDuration::from_mins(10);
/// The life of a token when nobody says.
const LIFE: SignedDuration = SignedDuration::from_mins(5);

/// DER of an Ed25519 private key (RFC 8410) up to the 32 bytes that matter, without version and length.
const ED25519_DER: [u8; 11] = [0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Why a key can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It isn't an Ed25519 private key in PKCS#8.
    #[error("this is not an Ed25519 private key in PKCS#8")]
    Malformed,
    /// The operating system gave no random bytes for a new one.
    #[error("the operating system gives no random bytes")]
    NoRandomness,
}

/// Why a token isn't taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It isn't one of ours, or not as we made it.
    Invalid,
    /// It was good once.
    Expired,
}

/// A public key, as a client that checks tokens by itself wants it (RFC 8037).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct PublicKey {
    /// Always `OKP`.
    kty: &'static str,
    /// Always `Ed25519`.
    crv: &'static str,
    /// Always `EdDSA`.
    alg: &'static str,
    /// Always `sig`.
    r#use: &'static str,
    /// The key's id: its RFC 7638 thumbprint.
    kid: String,
    /// The key, base64url.
    x: String,
}

/// The keys that tokens are checked with (RFC 7517).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct KeySet {
    /// The keys; the first one signs.
    keys: Vec<PublicKey>,
}

/// A key of the set, with the one header that tokens under it have.
struct Verifier {
    public: PublicKey,
    /// Base64url of the header, to be compared byte by byte: nothing in it is for the sender to choose.
    header: String,
    key: DecodingKey,
}

/// Makes and checks access tokens.
pub struct Tokens {
    issuer: String,
    life: SignedDuration,
    signing: EncodingKey,
    header: Header,
    verifiers: Vec<Verifier>,
    validation: Validation,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("issuer", &self.issuer)
            .field("life", &self.life)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
    sid: SessionId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    tenant: Option<TenantId>,
    /// Both or neither, and only in an organisation: an operator of the service acts through `sub`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    act: Option<Acting>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    support_grant: Option<SupportGrantId>,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: Uuid,
}

/// Who acts through the subject (RFC 8693, section 4.1). Nobody acts through somebody who acts.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Acting {
    sub: UserId,
}

/// What a good token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verified {
    /// For whom it is.
    pub(crate) subject: Subject,
    /// The operator of the service who acts through it.
    pub(crate) support: Option<Support>,
    /// When it ends.
    pub(crate) expires_at: Timestamp,
}

impl Tokens {
    /// Signs with a key made up now: its tokens end with the process. For tests, examples and one-node trials.
    ///
    /// # Errors
    /// [`KeyError::NoRandomness`].
    pub fn with_new_key(issuer: &str) -> Result<Self, KeyError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|_| KeyError::NoRandomness)?;
        Self::from_pkcs8(&version_1(&secret), issuer)
    }

    /// Signs with the Ed25519 private key in this PEM file (PKCS#8), in the name of `issuer`.
    ///
    /// # Errors
    /// [`KeyError::Malformed`].
    pub fn from_pem(pem: &[u8], issuer: &str) -> Result<Self, KeyError> {
        Self::from_pkcs8(&der(pem)?, issuer)
    }

    /// Signs with this Ed25519 private key (PKCS#8 DER).
    ///
    /// # Errors
    /// [`KeyError::Malformed`].
    pub fn from_pkcs8(der: &[u8], issuer: &str) -> Result<Self, KeyError> {
        let signing = private_key(der)?;
        let verifier = Verifier::new(&signing)?;
        let header = header(&verifier.public.kid);
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[issuer]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        // Times are compared below, by the injected clock.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Ok(Self {
            issuer: issuer.to_owned(),
            life: LIFE,
            signing,
            header,
            verifiers: vec![verifier],
            validation,
        })
    }

    /// Takes tokens of this private key too, without signing with it: the former key, while it is replaced.
    ///
    /// # Errors
    /// [`KeyError::Malformed`].
    pub fn and_verify(self, pem: &[u8]) -> Result<Self, KeyError> {
        self.and_verify_pkcs8(&der(pem)?)
    }

    /// The same with a key in PKCS#8 DER.
    ///
    /// # Errors
    /// [`KeyError::Malformed`].
    pub fn and_verify_pkcs8(mut self, der: &[u8]) -> Result<Self, KeyError> {
        self.verifiers.push(Verifier::new(&private_key(der)?)?);
        Ok(self)
    }

    /// Lets tokens live this long, 10 seconds to 10 minutes. Default 5 minutes.
    #[must_use]
    pub fn with_life(mut self, life: SignedDuration) -> Self {
        self.life = life.clamp(SignedDuration::from_secs(10), MAX_LIFE);
        self
    }

    /// Seconds that a token lives.
    pub(crate) fn life_seconds(&self) -> i64 {
        self.life.as_secs()
    }

    /// A token for a subject.
    pub(crate) fn issue(
        &self,
        subject: &Subject,
        now: Timestamp,
        jti: Uuid,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        self.sign(subject, None, self.life_seconds(), now, jti)
    }

    /// A token for an operator of the service inside an organisation, which ends with the grant; and how many
    /// seconds it lives.
    pub(crate) fn issue_support(
        &self,
        access: &SupportAccess,
        now: Timestamp,
        jti: Uuid,
    ) -> Result<(String, i64), jsonwebtoken::errors::Error> {
        let left = access.expires_at.as_second().saturating_sub(now.as_second());
        let life = self.life_seconds().min(left).max(0);
        Ok((self.sign(&access.subject, Some(access.support), life, now, jti)?, life))
    }

    fn sign(
        &self,
        subject: &Subject,
        support: Option<Support>,
        life: i64,
        now: Timestamp,
        jti: Uuid,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let iat = now.as_second();
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: AUDIENCE.into(),
            sub: subject.user,
            sid: subject.session,
            tenant: subject.tenant,
            act: support.map(|support| Acting { sub: support.operator }),
            support_grant: support.map(|support| support.grant),
            iat,
            nbf: iat,
            exp: iat + life,
            jti,
        };
        jsonwebtoken::encode(&self.header, &claims, &self.signing)
    }

    /// What a token says, if it is one of ours and good at `now`.
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Result<Verified, Refusal> {
        if token.len() > MAX_BYTES {
            return Err(Refusal::Invalid);
        }
        let (header, _) = token.split_once('.').ok_or(Refusal::Invalid)?;
        let verifier = self.verifiers.iter().find(|verifier| verifier.header == header);
        let verifier = verifier.ok_or(Refusal::Invalid)?;
        let token = jsonwebtoken::decode::<Claims>(token, &verifier.key, &self.validation);
        let claims = token.map_err(|_| Refusal::Invalid)?.claims;
        let instant = |seconds| Timestamp::from_second(seconds).map_err(|_| Refusal::Invalid);
        let (from, until) = (instant(claims.nbf)?, instant(claims.exp)?);
        if until.duration_since(from) > MAX_LIFE || from.duration_since(now) > LEEWAY {
            return Err(Refusal::Invalid);
        }
        if now.duration_since(until) >= LEEWAY {
            return Err(Refusal::Expired);
        }
        let support = match (claims.act, claims.support_grant, claims.tenant) {
            (None, None, _) => None,
            (Some(act), Some(grant), Some(_)) if act.sub != claims.sub => {
                Some(Support { operator: act.sub, grant })
            }
            _ => return Err(Refusal::Invalid),
        };
        let subject = Subject { tenant: claims.tenant, user: claims.sub, session: claims.sid };
        // The store decides by its own clock when the session ends; the token by `exp` and the leeway.
        Ok(Verified { subject, support, expires_at: until.saturating_add(LEEWAY).unwrap_or(until) })
    }

    /// The public keys.
    pub(crate) fn key_set(&self) -> KeySet {
        KeySet { keys: self.verifiers.iter().map(|verifier| verifier.public.clone()).collect() }
    }
}

fn header(kid: &str) -> Header {
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some(TYPE.into());
    header.kid = Some(kid.to_owned());
    header
}

impl Verifier {
    fn new(signing: &EncodingKey) -> Result<Self, KeyError> {
        let jwk = Jwk::from_encoding_key(signing, Algorithm::EdDSA).map_err(|_| KeyError::Malformed)?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| KeyError::Malformed)?;
        let AlgorithmParameters::OctetKeyPair(pair) = jwk.algorithm else {
            return Err(KeyError::Malformed);
        };
        let key = DecodingKey::from_ed_components(&pair.x).map_err(|_| KeyError::Malformed)?;
        let json = serde_json::to_vec(&header(&kid)).map_err(|_| KeyError::Malformed)?;
        let header = URL_SAFE_NO_PAD.encode(json);
        let public = PublicKey { kty: "OKP", crv: "Ed25519", alg: "EdDSA", r#use: "sig", kid, x: pair.x };
        Ok(Self { public, header, key })
    }
}

/// The bytes in a PEM file with one private key.
fn der(pem: &[u8]) -> Result<Vec<u8>, KeyError> {
    let text = std::str::from_utf8(pem).map_err(|_| KeyError::Malformed)?;
    let body = text.trim().strip_prefix("-----BEGIN PRIVATE KEY-----");
    let body = body.and_then(|rest| rest.strip_suffix("-----END PRIVATE KEY-----"));
    let body: String = body.ok_or(KeyError::Malformed)?.split_ascii_whitespace().collect();
    STANDARD.decode(body).map_err(|_| KeyError::Malformed)
}

/// Reads PKCS#8 of version 1 or 2 (with the public key behind) and keeps what both begin with: the library
/// derives the public key from version 1 only.
fn private_key(der: &[u8]) -> Result<EncodingKey, KeyError> {
    let kind = der.get(5..16).ok_or(KeyError::Malformed)?;
    let secret = der.get(16..48).ok_or(KeyError::Malformed)?;
    if kind != ED25519_DER {
        return Err(KeyError::Malformed);
    }
    Ok(EncodingKey::from_ed_der(&version_1(secret)))
}

/// The 32 bytes that matter as PKCS#8 of version 1.
fn version_1(secret: &[u8]) -> Vec<u8> {
    let mut der = vec![0x30, 0x2e, 0x02, 0x01, 0x00];
    der.extend_from_slice(&ED25519_DER);
    der.extend_from_slice(secret);
    der
}

#[cfg(test)]
#[path = "token/tests.rs"]
mod tests;
