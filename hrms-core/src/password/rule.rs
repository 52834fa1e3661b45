//! Which passwords are accepted: NIST SP 800-63B-4 for a password without a second factor.
//!
//! Length, and nothing that is easy to guess; no rules about which characters to use.

use std::collections::HashSet;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;

use crate::error::FieldError;
use crate::secret::Secret;
use crate::validate::fold;

/// The shortest password, in characters.
pub const MIN_CHARACTERS: usize = 15;
/// The longest password, in characters. All of them count: nothing is cut off.
pub const MAX_CHARACTERS: usize = 256;

/// Common passwords of at least [`MIN_CHARACTERS`], one a line, folded.
static COMMON: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("common.txt").lines().filter(|line| !line.is_empty()).collect());

/// Rows of a keyboard and alphabets, which people run along.
const RUNS: &[&str] = &[
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
];

/// Characters that must be left of a password when words about its owner are taken out of it.
const OWN_CHARACTERS: usize = 8;

/// Checks a password somebody wants to have. `context` are words about them that are easy to guess:
/// their e-mail address, their name, their organisation.
///
/// # Errors
/// The fault, for the field `/password`.
pub fn check(password: &Secret, context: &[&str]) -> Result<(), FieldError> {
    let fault = |code, detail: String| Err(FieldError::new("/password", code, detail));
    let characters = password.expose().nfc().count();
    if characters < MIN_CHARACTERS {
        return fault("too-short", format!("a password needs at least {MIN_CHARACTERS} characters"));
    }
    if characters > MAX_CHARACTERS {
        return fault("too-long", format!("a password may have at most {MAX_CHARACTERS} characters"));
    }
    let folded = fold(password.expose());
    if COMMON.contains(folded.trim()) || is_pattern(&folded) {
        return fault("common-password", "this password is one of the first to be guessed".into());
    }
    if own_characters(&folded, context) < OWN_CHARACTERS {
        return fault(
            "password-about-you",
            "this password is made of your name, address or organisation".into(),
        );
    }
    Ok(())
}

/// One short piece over and over, or a walk along the alphabet or a keyboard.
fn is_pattern(folded: &str) -> bool {
    let characters: Vec<char> = folded.chars().collect();
    let repeats = |piece: usize| characters.iter().zip(characters.iter().skip(piece)).all(|(a, b)| a == b);
    let walk = |run: &str| run.repeat(2).contains(folded);
    let backwards = || characters.iter().rev().collect::<String>();
    (1..=4).any(repeats) || RUNS.iter().any(|run| walk(run) || run.repeat(2).contains(&backwards()))
}

/// How many characters are left without the words that are easy to guess.
fn own_characters(folded: &str, context: &[&str]) -> usize {
    let mut words: Vec<String> = Vec::new();
    for text in context {
        let text = fold(text);
        words.extend(text.split(|c: char| !c.is_alphanumeric()).map(str::to_owned));
        words.push(text);
    }
    // Short words would take bites out of any sentence; longest first, so that the whole address goes as one.
    words.retain(|word| word.chars().count() >= 3);
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let mut rest = folded.to_owned();
    for word in words {
        rest = rest.replace(&word, "");
    }
    rest.chars().filter(|c| c.is_alphanumeric()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(password: &str, context: &[&str]) -> Option<String> {
        check(&Secret::new(password), context).err().map(|fault| fault.code.into_owned())
    }

    #[test]
    fn length_counts_composed_characters() {
        assert_eq!(code("fourteen chars", &[]).as_deref(), Some("too-short"));
        assert_eq!(code("fifteen chars!!", &[]), None);
        // 14 characters, however they are typed.
        assert_eq!(code("fourt\u{e9}en cha\u{301}rs", &[]).as_deref(), Some("too-short"));
        let longest: String = ('a'..='z').cycle().step_by(7).take(256).collect();
        assert_eq!(code(&longest, &[]), None);
        assert_eq!(code(&format!("{longest}x"), &[]).as_deref(), Some("too-long"));
    }

    #[test]
    fn what_is_guessed_first_is_refused() {
        for password in [
            "correct horse battery staple",
            "PasswordPassword",
            "aaaaaaaaaaaaaaaa",
            "abcabcabcabcabcabc",
            "12341234123412341234",
            "123456789012345",
            "987654321098765",
            "qwertyuiopasdfgh",
            "zyxwvutsrqponmlkj",
        ] {
            assert_eq!(code(password, &[]).as_deref(), Some("common-password"), "{password}");
        }
    }

    #[test]
    fn what_is_about_the_owner_is_refused() {
        let about = ["jane.doe@example.com", "Jane Doe", "Acme Industries"];
        for password in [
            "jane.doe@example.com",
            "JaneDoe-Acme-2026",
            "Acme Industries 1",
            "example.com jane.doe",
            "industries-acme!",
        ] {
            assert_eq!(code(password, &about).as_deref(), Some("password-about-you"), "{password}");
        }
        assert_eq!(code("my acme ships anvils daily", &about), None);
    }

    #[test]
    fn the_list_has_only_lines_that_can_match() {
        for line in include_str!("common.txt").lines() {
            assert!(line.chars().count() >= MIN_CHARACTERS, "{line}");
            assert_eq!(fold(line), line);
        }
    }
}
