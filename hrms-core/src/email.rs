//! The one form of an e-mail address under which somebody logs in.
//!
//! Two addresses that look the same to people must not be two accounts. So an address is folded to one form, and
//! what could pass for another one is refused: letters of several scripts in one part, a part whose letters all
//! look like Latin ones but aren't (Unicode Technical Standard 39), invisible characters and those that turn the
//! direction of text.

use unicase::UniCase;
use unicode_normalization::UnicodeNormalization;
use unicode_security::{GeneralSecurityProfile, MixedScript, skeleton};

use crate::error::FieldError;

/// Octets of the part before the `@` (RFC 5321, section 4.5.3.1.1).
const LOCAL_OCTETS: usize = 64;
/// Octets of the whole address: a path of 256 octets (RFC 5321, section 4.5.3.1.3) without its brackets.
const OCTETS: usize = 254;
/// ASCII that an unquoted local part may have besides letters, digits and single dots (RFC 5322, section 3.2.3).
const ATEXT: &str = "!#$%&'*+-/=?^_`{|}~";

/// The normal form of an address: compatibility characters replaced, case folded, host in ASCII.
///
/// `Ünal@EXAMPLE.com` and `ünal@example.com` are one address, and `x@bücher.example` is
/// `x@xn--bcher-kva.example`. The local part is folded too: no provider in use tells its cases apart,
/// and two accounts that look the same are worse than one refused. Messages go to the normal form.
///
/// # Errors
/// When it is no e-mail address, or could be mistaken for another one. Quoted local parts and numeric hosts are
/// refused.
pub fn normalize(pointer: &'static str, email: &str) -> Result<String, FieldError> {
    let fault = || FieldError::new(pointer, "not-an-email", "this is not an e-mail address");
    let email = email.trim();
    // Longer input can't become an address of at most 254 octets that anybody uses.
    if email.len() > 1024 {
        return Err(fault());
    }
    let (local, host) = email.rsplit_once(['@', '\u{ff20}']).ok_or_else(fault)?;
    let local = normal_local(local).ok_or_else(fault)?;
    let host = normal_host(host).ok_or_else(fault)?;
    if !is_plain(&local) || !idna::domain_to_unicode(&host).0.split('.').all(is_plain) {
        let detail = "this could be mistaken for another address: it mixes scripts or imitates Latin letters";
        return Err(FieldError::new(pointer, "confusable", detail));
    }
    let normal = format!("{local}@{host}");
    if normal.len() > OCTETS { Err(fault()) } else { Ok(normal) }
}

fn normal_local(local: &str) -> Option<String> {
    // Folded, it would be "ss": the mailbox of somebody else.
    if local.contains(['\u{df}', '\u{1e9e}']) {
        return None;
    }
    let mut folded: String = local.nfkc().collect();
    loop {
        let next: String = UniCase::unicode(folded.as_str()).to_folded_case().nfkc().collect();
        if next == folded {
            break;
        }
        folded = next;
    }
    let fine = |c: char| c.is_ascii_alphanumeric() || ATEXT.contains(c) || (!c.is_ascii() && allowed(c));
    let fine = (1..=LOCAL_OCTETS).contains(&folded.len())
        && folded.split('.').all(|atom| !atom.is_empty() && atom.chars().all(fine));
    fine.then_some(folded)
}

fn normal_host(host: &str) -> Option<String> {
    // Before the mapping of IDNA, which silently drops invisible characters.
    if !host.nfkc().all(|c| allowed(c) || matches!(c, '-' | '.' | '\u{3002}')) {
        return None;
    }
    let host = idna::domain_to_ascii_strict(host).ok()?;
    let last = host.rsplit('.').next()?;
    // An address of four numbers is a host of nobody in particular.
    let numeric = last.bytes().all(|b| b.is_ascii_digit());
    (!numeric && host.split('.').all(|label| !label.is_empty())).then_some(host)
}

/// Whether UTS 39 lets a character into identifiers: nothing invisible, nothing that turns the direction, no symbols.
fn allowed(c: char) -> bool {
    c.identifier_allowed()
}

/// Whether a part has letters of one script only and can't pass for a part in ASCII.
fn is_plain(part: &str) -> bool {
    part.is_ascii() || (part.is_single_script() && !skeleton(part).all(|c| c.is_ascii()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_form_for_all_spellings() {
        for (spelling, normal) in [
            ("a@example.com", "a@example.com"),
            (" A.B+c@Example.COM ", "a.b+c@example.com"),
            ("\u{ff21}@example.com", "a@example.com"),
            ("a\u{ff20}example.com", "a@example.com"),
            ("o'neil@example.com", "o'neil@example.com"),
            ("x@b\u{fc}cher.example", "x@xn--bcher-kva.example"),
            ("x@BU\u{308}CHER.example", "x@xn--bcher-kva.example"),
            ("x@xn--bcher-kva.EXAMPLE", "x@xn--bcher-kva.example"),
            ("x@stra\u{df}e.example", "x@xn--strae-oqa.example"),
            ("x@\u{4f8b}\u{3002}example", "x@xn--fsq.example"),
            ("\u{dc}nal@example.com", "\u{fc}nal@example.com"),
            (
                "\u{39d}\u{3af}\u{3ba}\u{3bf}\u{3c2}@example.com",
                "\u{3bd}\u{3af}\u{3ba}\u{3bf}\u{3c3}@example.com",
            ),
            ("\u{91c}\u{92f}@example.com", "\u{91c}\u{92f}@example.com"),
        ] {
            assert_eq!(normalize("/email", spelling).as_deref(), Ok(normal), "{spelling}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for email in [
            "",
            "a",
            "@",
            "a@",
            "@b.c",
            "a@b@c.d",
            "a b@c.d",
            "a@b..c",
            "a@-b.c",
            "a@b c.d",
            "a@b\u{0}c",
            ".a@b.c",
            "a.@b.c",
            "a..b@c.d",
            "\"a b\"@c.d",
            "\"a\"@c.d",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "a@[::1]",
            "a@b.c.",
            "a(x)@b.c",
            "a,b@c.d",
            "a@b_c.d",
            "a\r\nb@c.d",
            "<a@b.c>",
            // Invisible, or turning the direction of text.
            "a\u{200b}@b.c",
            "a\u{ad}@b.c",
            "a@b\u{ad}c.d",
            "a@b\u{200d}c.d",
            "a\u{202e}@b.c",
            "a@b\u{2066}c.d",
            "a\u{feff}b@c.d",
            "a\u{e0041}@b.c",
            // Symbols that no identifier has.
            "\u{1f600}@b.c",
            "a@\u{1f600}.c",
            "stra\u{df}e@b.c",
            "STRA\u{1e9e}E@b.c",
        ] {
            assert!(normalize("/email", email).is_err(), "{email:?}");
        }
    }

    #[test]
    fn what_could_be_mistaken_for_another_is_refused() {
        for email in [
            // Cyrillic that reads "appie" and "paypal", alone and among Latin letters.
            "\u{430}\u{440}\u{440}\u{4cf}\u{435}@example.com",
            "x@\u{430}\u{440}\u{440}\u{4cf}\u{435}.com",
            "x@xn--80ak6aa92e.com",
            "p\u{430}ypal@example.com",
            "x@p\u{430}ypal.com",
            "\u{3bf}@example.com",
            "adm\u{131}n@example.com",
        ] {
            let refused = normalize("/email", email).unwrap_err();
            assert_eq!(refused.code, "confusable", "{email:?}");
        }
        // A script of its own is no imitation.
        let own = "\u{434}\u{436}\u{435}\u{439}\u{43d}@\u{43f}\u{440}\u{438}\u{43c}\u{435}\u{440}.com";
        assert!(normalize("/email", own).is_ok());
    }

    #[test]
    fn lengths_are_counted_in_octets() {
        let ok = |email: String| normalize("/email", &email).is_ok();
        assert!(ok(format!("{}@example.com", "a".repeat(64))));
        assert!(!ok(format!("{}@example.com", "a".repeat(65))));
        assert!(ok(format!("{}@example.com", "\u{fc}".repeat(32))));
        assert!(!ok(format!("{}@example.com", "\u{fc}".repeat(33))));
        let host = |last: usize| {
            let label = "b".repeat(63);
            format!("{}@{label}.{label}.{label}.{}", "a".repeat(10), "c".repeat(last))
        };
        assert!(ok(host(51)));
        assert_eq!(host(51).len(), 254);
        assert!(!ok(host(52)));
        assert!(!ok("a".repeat(1 << 20)));
    }

    /// Characters that people, and those who imitate them, write.
    fn part() -> impl Strategy<Value = String> {
        let letter = prop_oneof![
            "[a-zA-Z0-9._+-]",
            "[\u{e0}-\u{17f}]",
            "[\u{370}-\u{3ff}]",
            "[\u{400}-\u{4ff}]",
            "[\u{ff01}-\u{ff5e}]",
            "[\u{300}-\u{36f}]",
            any::<char>().prop_map(String::from),
        ];
        proptest::collection::vec(letter, 1..12).prop_map(|letters| letters.concat())
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(local in part(), host in part()) {
            if let Ok(once) = normalize("/email", &format!("{local}@{host}.example")) {
                prop_assert_eq!(normalize("/email", &once), Ok(once));
            }
        }

        #[test]
        fn case_makes_no_difference(local in "[a-z\u{e0}-\u{f6}\u{3b1}-\u{3c9}]{1,10}") {
            let lower = normalize("/email", &format!("{local}@example.com"));
            let upper = normalize("/email", &format!("{}@EXAMPLE.COM", local.to_uppercase()));
            prop_assert_eq!(lower, upper);
        }

        /// What looks like ASCII is ASCII; so two addresses that look like the same one are the same one.
        #[test]
        fn nothing_imitates_ascii(local in part(), host in part()) {
            if let Ok(normal) = normalize("/email", &format!("{local}@{host}.example")) {
                let (local, host) = normal.rsplit_once('@').unwrap();
                let shown = idna::domain_to_unicode(host).0;
                for part in std::iter::once(local).chain(shown.split('.')) {
                    prop_assert!(part.is_ascii() || !skeleton(part).all(|c| c.is_ascii()), "{}", part);
                }
                let safe = |c: char| !c.is_control() && !c.is_whitespace() && c != '<' && c != '"';
                prop_assert!(normal.chars().all(safe));
            }
        }
    }
}
