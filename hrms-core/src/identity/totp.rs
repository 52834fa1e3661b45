//! One-time codes by time (RFC 6238) and recovery codes: pure functions over secrets and instants.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use qrcode::render::svg;
use sha2::{Digest, Sha256};
use totp_rs::{Algorithm, Builder, Totp};

use crate::error::{CommonError, StoreError};
use crate::id::UserId;
use crate::secret::{Secret, random};

/// Bytes of a secret: what RFC 4226 recommends.
pub(crate) const SECRET_BYTES: usize = 20;
/// Recovery codes that an account gets at once.
pub const RECOVERY_CODES: usize = 10;
/// Bytes of randomness in a recovery code: too many to be guessed, however fast.
const RECOVERY_BYTES: usize = 10;
/// The letters of recovery codes (Crockford's base 32): none is taken for another.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

fn broken(error: impl std::error::Error + Send + Sync + 'static) -> CommonError {
    StoreError::Backend(error.into()).into()
}

/// Six digits, SHA-1, 30 seconds: what every authenticator app can do. A code is taken one step early or late.
fn totp(secret: &[u8], issuer: &str, account: &str) -> Result<Totp, CommonError> {
    // A colon would end the name in the address of the key.
    let plain = |text: &str| text.replace(':', " ");
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_skew(1)
        .with_step_duration(30)
        .with_secret(secret.to_vec())
        .with_issuer(Some(plain(issuer)))
        .with_account_name(plain(account))
        .build()
        .map_err(broken)
}

/// The time step that a code belongs to, if it is good at `now`.
pub(crate) fn step_of(secret: &[u8], otp: &Secret, now: Timestamp) -> Result<Option<i64>, CommonError> {
    let code = otp.expose();
    // Six ASCII digits and nothing else, before anything is computed.
    if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    let Ok(seconds) = u64::try_from(now.as_second()) else { return Ok(None) };
    let step = totp(secret, "", "account")?.check(code, seconds);
    Ok(step.and_then(|step| i64::try_from(step).ok()))
}

/// A secret as an authenticator app takes it.
pub(crate) struct Shown {
    /// Base 32, to be typed.
    pub(crate) secret: String,
    /// The address of the key.
    pub(crate) uri: String,
    /// The address as a QR code: an SVG image in a `data:` address.
    pub(crate) qr: String,
}

/// Shows a secret to an authenticator app.
pub(crate) fn show(secret: &[u8], issuer: &str, account: &str) -> Result<Shown, CommonError> {
    let totp = totp(secret, issuer, account)?;
    let uri = totp.to_url().map_err(broken)?;
    let code = qrcode::QrCode::new(uri.as_bytes()).map_err(broken)?;
    let image = code.render::<svg::Color<'_>>().min_dimensions(200, 200).build();
    let qr = format!("data:image/svg+xml;base64,{}", STANDARD.encode(image));
    Ok(Shown { secret: totp.secret().to_base32(), uri, qr })
}

/// Ten new recovery codes, as in `3fk7-91cd-xb2m-q0ze`.
pub(crate) fn recovery_codes() -> Result<Vec<Secret>, CommonError> {
    (0..RECOVERY_CODES).map(|_| Ok(Secret::new(spell(random::<RECOVERY_BYTES>()?)))).collect()
}

fn spell(bytes: [u8; RECOVERY_BYTES]) -> String {
    let bits = bytes.iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    let mut text = String::new();
    for index in 0..16_u32 {
        if index > 0 && index % 4 == 0 {
            text.push('-');
        }
        let digit = usize::try_from(bits >> (5 * (15 - index)) & 31).unwrap_or_default();
        text.push(LETTERS.get(digit).copied().map_or('0', char::from));
    }
    text
}

/// What is kept of a recovery code: it has 80 random bits, so one pass will do. The account goes in, so that
/// equal codes of two accounts look different. `None` for what can't be a code.
pub(crate) fn recovery_hash(user: UserId, code: &Secret) -> Option<[u8; 32]> {
    let mut letters = String::new();
    for c in code.expose().chars().filter(|c| !c.is_whitespace() && *c != '-') {
        letters.push(match c.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            c if u8::try_from(c).is_ok_and(|byte| LETTERS.contains(&byte)) => c,
            _ => return None,
        });
        if letters.len() > 16 {
            return None;
        }
    }
    if letters.len() != 16 {
        return None;
    }
    let digest = Sha256::new().chain_update(user.as_uuid().as_bytes()).chain_update(letters);
    Some(digest.finalize().into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::{IdSource, RandomIds};

    fn user() -> UserId {
        UserId::from_uuid(RandomIds.next())
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// RFC 6238, appendix B, SHA-1: the last six of the eight digits.
    #[test]
    fn the_vectors_of_the_rfc() {
        let secret = b"12345678901234567890";
        for (second, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let step = step_of(secret, &Secret::new(code), at(second)).unwrap();
            assert_eq!(step, Some(second / 30), "{code} at {second}");
        }
    }

    #[test]
    fn a_code_is_good_one_step_early_or_late() {
        let secret = b"12345678901234567890";
        let code = Secret::new("287082");
        for (second, good) in [(0, true), (29, true), (30, true), (59, true), (89, true), (90, false)] {
            assert_eq!(step_of(secret, &code, at(second)).unwrap().is_some(), good, "at {second}");
        }
        assert_eq!(step_of(b"another secret.......", &code, at(59)).unwrap(), None);
    }

    #[test]
    fn what_is_no_code_is_none() {
        let secret = b"12345678901234567890";
        for text in
            ["", "28708", "2870822", " 287082", "287 082", "28708a", "\u{662}87082", "+87082", "-00001"]
        {
            assert_eq!(step_of(secret, &Secret::new(text), at(59)).unwrap(), None, "{text:?}");
        }
        let long = Secret::new("1".repeat(1 << 20));
        assert_eq!(step_of(secret, &long, at(59)).unwrap(), None);
        assert_eq!(step_of(secret, &Secret::new("287082"), at(-90)).unwrap(), None);
    }

    #[test]
    fn a_secret_is_shown_to_an_app() {
        let shown = show(b"12345678901234567890", "HRMS: Acme", "jane@example.com").unwrap();
        assert_eq!(shown.secret, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert!(shown.uri.starts_with("otpauth://totp/HRMS%20%20Acme:jane%40example.com?"), "{}", shown.uri);
        assert!(shown.uri.contains(&shown.secret));
        let image = STANDARD.decode(shown.qr.strip_prefix("data:image/svg+xml;base64,").unwrap()).unwrap();
        assert!(String::from_utf8(image).unwrap().contains("<svg"));
        // The longest address has a picture, too.
        show(b"12345678901234567890", "HRMS", &"\u{1f600}".repeat(63)).unwrap();
    }

    #[test]
    fn recovery_codes_are_ten_and_different() {
        let codes = recovery_codes().unwrap();
        let user = user();
        let hashes: std::collections::BTreeSet<_> =
            codes.iter().map(|code| recovery_hash(user, code).unwrap()).collect();
        assert_eq!(hashes.len(), RECOVERY_CODES);
        assert_eq!(codes[0].expose().len(), 19);
    }

    #[test]
    fn a_code_is_its_letters_however_it_is_typed() {
        let user = user();
        let hash = |text: &str| recovery_hash(user, &Secret::new(text));
        let good = hash("0123-4567-89ab-cdef");
        assert!(good.is_some());
        for text in
            ["0123456789abcdef", " 0123 4567 89AB CDEF ", "O123-4567-89ab-cdef", "ol23-4567-89ab-cdef"]
        {
            assert_eq!(hash(text), good, "{text}");
        }
        for text in ["", "0123-4567-89ab-cde", "0123-4567-89ab-cdeff", "0123-4567-89ab-cdeu", "\u{1f600}"] {
            assert_eq!(hash(text), None, "{text}");
        }
        assert_ne!(
            recovery_hash(UserId::from_uuid(RandomIds.next()), &Secret::new("0123-4567-89ab-cdef")),
            good
        );
    }

    proptest! {
        #[test]
        fn anything_can_be_typed(text in "\\PC{0,40}", second in 0_i64..4_000_000_000) {
            let secret = Secret::new(text);
            let _ = recovery_hash(user(), &secret);
            step_of(b"12345678901234567890", &secret, at(second)).unwrap();
        }

        #[test]
        fn every_code_reads_back(bytes in any::<[u8; RECOVERY_BYTES]>()) {
            let text = spell(bytes);
            prop_assert_eq!(text.len(), 19);
            prop_assert!(recovery_hash(user(), &Secret::new(text)).is_some());
        }
    }
}
