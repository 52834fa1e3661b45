//! The one form of an e-mail address under which somebody logs in.

use crate::error::FieldError;
use crate::validate::{Check, fold};

/// The normal form of an address: compatibility characters replaced, lower case, host in ASCII.
///
/// `Ünal@EXAMPLE.com` and `ünal@example.com` are one address, and `x@bücher.example` is
/// `x@xn--bcher-kva.example`. The local part is folded too: no provider in use tells its cases apart,
/// and two accounts that look the same are worse than one refused.
///
/// # Errors
/// When it is no e-mail address.
pub fn normalize(pointer: &'static str, email: &str) -> Result<String, FieldError> {
    let fault = || FieldError::new(pointer, "not-an-email", "this is not an e-mail address");
    // Longer input can't become an address of at most 254 bytes that anybody uses.
    if email.len() > 1024 {
        return Err(fault());
    }
    let folded = fold(email.trim());
    let (local, host) = folded.rsplit_once('@').ok_or_else(fault)?;
    let host = idna::domain_to_ascii_strict(host).map_err(|_| fault())?;
    let normal = format!("{local}@{host}");
    let mut check = Check::new();
    check.email(pointer, &normal);
    check.done().map_err(|_| fault())?;
    Ok(normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_for_all_spellings() {
        for (spelling, normal) in [
            ("a@example.com", "a@example.com"),
            (" A.B+c@Example.COM ", "a.b+c@example.com"),
            ("\u{ff21}@example.com", "a@example.com"),
            ("x@b\u{fc}cher.example", "x@xn--bcher-kva.example"),
            ("x@BU\u{308}CHER.example", "x@xn--bcher-kva.example"),
        ] {
            assert_eq!(normalize("/email", spelling).as_deref(), Ok(normal), "{spelling}");
        }
    }

    #[test]
    fn normalising_twice_changes_nothing() {
        for email in ["\u{130}x@example.com", "\u{1e9e}@example.com", "x@b\u{fc}cher.example"] {
            let once = normalize("/email", email).unwrap();
            assert_eq!(normalize("/email", &once).unwrap(), once);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for email in
            ["", "a", "@", "a@", "@b.c", "a@b@c.d", "a b@c.d", "a@b..c", "a@-b.c", "a@b c.d", "a@b\u{0}c"]
        {
            assert!(normalize("/email", email).is_err(), "{email:?}");
        }
        assert!(normalize("/email", &format!("{}@example.com", "a".repeat(65))).is_err());
        assert!(normalize("/email", &"a".repeat(1 << 20)).is_err());
    }
}
