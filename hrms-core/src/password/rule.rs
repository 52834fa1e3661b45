//! Which passwords are accepted: NIST SP 800-63B-4 for a password without a second factor.
//!
//! Length, and nothing that is easy to guess; no rules about which characters to use.

use std::cmp::Ordering;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;

use crate::error::FieldError;
use crate::secret::Secret;
use crate::validate::fold;

/// The shortest password, in characters.
pub const MIN_CHARACTERS: usize = 15;
/// The shortest password of an account with a second factor, in characters.
pub const MIN_WITH_SECOND_FACTOR: usize = 8;
/// The longest password, in characters. All of them count: nothing is cut off.
pub const MAX_CHARACTERS: usize = 256;

/// Common passwords of at least [`MIN_WITH_SECOND_FACTOR`] characters, folded, one a line, in the order of their bytes.
/// Where most of them come from, and under which licence, is in `common.txt.license`.
static COMMON: &str = include_str!("common.txt");

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

/// Checks a password for a new account. `context` are words about its owner that are easy to guess:
/// their e-mail address, their name, their organisation.
///
/// # Errors
/// The fault, for the field `/password`.
pub fn check(password: &Secret, context: &[&str]) -> Result<(), FieldError> {
    check_new("/password", password, false, context).map(|_| ())
}

/// Checks a password for an account with or without a second factor; whether it is long enough only with one.
///
/// # Errors
/// The fault, for the field `pointer`.
pub fn check_new(
    pointer: &'static str,
    password: &Secret,
    second_factor: bool,
    context: &[&str],
) -> Result<bool, FieldError> {
    let fault = |code, detail: String| Err(FieldError::new(pointer, code, detail));
    let characters = password.expose().nfc().count();
    let least = if second_factor { MIN_WITH_SECOND_FACTOR } else { MIN_CHARACTERS };
    if characters < least {
        return fault("too-short", format!("a password needs at least {least} characters"));
    }
    if characters > MAX_CHARACTERS {
        return fault("too-long", format!("a password may have at most {MAX_CHARACTERS} characters"));
    }
    let folded = fold(password.expose());
    if is_common(&folded) || is_pattern(&folded) {
        return fault("common-password", "this password is one of the first to be guessed".into());
    }
    if own_characters(&folded, context).is_some_and(|own| own < OWN_CHARACTERS) {
        return fault(
            "password-about-you",
            "this password is made of your name, address or organisation".into(),
        );
    }
    Ok(characters < MIN_CHARACTERS)
}

/// Whether it is on the list, or made as most passwords are: a word or two that everybody thinks of, with a few
/// digits or signs around them.
fn is_common(folded: &str) -> bool {
    let folded = folded.trim();
    is_listed(folded) || is_put_together(folded)
}

/// Whether a text is a line of [`COMMON`]: halves the list until one line is left, and copies nothing.
fn is_listed(folded: &str) -> bool {
    let mut rest = COMMON;
    while !rest.is_empty() {
        let middle = (0..=rest.len() / 2).rev().find(|&at| rest.is_char_boundary(at)).unwrap_or(0);
        let (before, behind) = rest.split_at(middle);
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let end = behind.find('\n').map_or(rest.len(), |at| middle + at);
        let line = rest.get(start..end).unwrap_or_default();
        rest = match folded.cmp(line) {
            Ordering::Equal => return !line.is_empty(),
            Ordering::Less => rest.get(..start),
            Ordering::Greater => rest.get(end + 1..),
        }
        .unwrap_or_default();
    }
    false
}

/// Words that passwords are made of, folded, one a line.
static WORDS: LazyLock<Vec<Vec<char>>> = LazyLock::new(|| {
    let lines = include_str!("words.txt").lines();
    lines.map(|line| line.chars().collect()).filter(|word: &Vec<char>| !word.is_empty()).collect()
});

/// Common words and walks along a keyboard that a password may be no more than…
const MOST_PIECES: usize = 2;
/// …with this many other digits and signs.
const MOST_DECORATION: usize = 5;

/// Whether a password falls into at most [`MOST_PIECES`] common pieces and a little decoration. The same piece
/// over and over counts once.
fn is_put_together(folded: &str) -> bool {
    let characters: Vec<char> = folded.chars().collect();
    if characters.len() > 48 {
        return false;
    }
    // The fewest pieces for each amount of decoration, up to each place.
    let unreached = [usize::MAX; MOST_DECORATION + 1];
    let mut best = vec![unreached; characters.len() + 1];
    if let Some(start) = best.first_mut() {
        start[0] = 0;
    }
    for at in 0..characters.len() {
        let (Some(&here), Some(rest)) = (best.get(at), characters.get(at..)) else { continue };
        if here == unreached {
            continue;
        }
        for (length, pieces, decoration) in steps(rest) {
            let Some(there) = best.get_mut(at + length) else { continue };
            for (used, &so_far) in here.iter().enumerate() {
                if so_far != usize::MAX
                    && let Some(place) = there.get_mut(used + decoration)
                {
                    *place = (*place).min(so_far + pieces);
                }
            }
        }
    }
    best.last().is_some_and(|end| end.iter().any(|&pieces| (1..=MOST_PIECES).contains(&pieces)))
}

/// How a password can go on: with so many characters that are so many common pieces and so much decoration.
fn steps(rest: &[char]) -> Vec<(usize, usize, usize)> {
    let mut steps = Vec::new();
    if rest.first().is_some_and(|c| !c.is_alphabetic()) {
        steps.push((1, 0, 1));
    }
    for word in WORDS.iter() {
        let mut length = word.len();
        if !rest
            .get(..length)
            .is_some_and(|text| text.iter().zip(word).all(|(c, letter)| spells(*c, *letter)))
        {
            continue;
        }
        steps.push((length, 1, 0));
        // Again and again.
        while rest.get(length..length + word.len()).is_some_and(|text| rest.get(..word.len()) == Some(text)) {
            length += word.len();
            steps.push((length, 1, 0));
        }
    }
    for length in 3..=rest.len() {
        if !rest.get(..length).is_some_and(is_run) {
            break;
        }
        steps.push((length, 1, 0));
    }
    steps
}

/// Whether a character stands for a letter, as people write who think that nobody else does.
fn spells(c: char, letter: char) -> bool {
    c == letter
        || matches!(
            (c, letter),
            ('0', 'o')
                | ('1' | '!' | '|', 'i' | 'l')
                | ('3', 'e')
                | ('4' | '@', 'a')
                | ('5' | '$', 's')
                | ('7' | '+', 't')
                | ('8', 'b')
                | ('9', 'g')
        )
}

/// One character over and over, or a walk along a keyboard or the alphabet, either way.
fn is_run(characters: &[char]) -> bool {
    let same = characters.windows(2).all(|pair| pair.first() == pair.last());
    let text: String = characters.iter().collect();
    let backwards: String = characters.iter().rev().collect();
    same || RUNS.iter().chain(COLUMNS).any(|run| run.contains(&text) || run.contains(&backwards))
}

/// Columns and zigzags of a keyboard.
const COLUMNS: &[&str] = &[
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "1q2w3e4r5t6y7u8i9o0p",
    "qazwsxedcrfvtgbyhnujm",
    "q1w2e3r4t5y6u7i8o9p0",
    "a1b2c3d4e5f6",
];

/// One short piece over and over, or a walk along the alphabet or a keyboard.
fn is_pattern(folded: &str) -> bool {
    let characters: Vec<char> = folded.chars().collect();
    let repeats = |piece: usize| characters.iter().zip(characters.iter().skip(piece)).all(|(a, b)| a == b);
    let walk = |run: &str| run.repeat(2).contains(folded);
    let backwards = || characters.iter().rev().collect::<String>();
    (1..=4).any(repeats) || RUNS.iter().any(|run| walk(run) || run.repeat(2).contains(&backwards()))
}

/// How many characters are left without the words that are easy to guess; `None` if there are none of them.
fn own_characters(folded: &str, context: &[&str]) -> Option<usize> {
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
    (rest != folded).then(|| rest.chars().filter(|c| c.is_alphanumeric()).count())
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
            "correcthorsebatterystaple",
            "CorrectHorseBatteryStaple",
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

    /// Among the hundred most used ones with eight characters or more, and what people make of them.
    #[test]
    fn short_ones_with_a_second_factor_are_looked_at_too() {
        let code = |password: &str| {
            let checked = check_new("/new_password", &Secret::new(password), true, &[]);
            checked.err().map(|fault| fault.code.into_owned())
        };
        for password in [
            "password",
            "12345678",
            "123456789",
            "1234567890",
            "qwertyuiop",
            "iloveyou",
            "princess",
            "sunshine",
            "football",
            "baseball",
            "superman",
            "trustno1",
            "kawasaki",
            "1029384756",
            "Excalibur",
            "welcome1",
            "Password1",
            "password123",
            "admin123",
            "qwerty123",
            "1q2w3e4r",
            "1qaz2wsx",
            "zaq12wsx",
            "letmein1",
            "monkey123",
            "abcd1234",
            "passw0rd",
            "P@ssw0rd!",
            "starwars",
            "whatever",
            "computer",
            "internet",
            "michelle",
            "jennifer",
            "liverpool",
            "chelsea1",
            "11111111",
            "00000000",
            "asdfghjkl",
            "zxcvbnm123",
            "qazwsxedc",
            "abc12345",
            "a1b2c3d4",
            "changeme",
            "charlie1",
            "dragon123",
            "master12",
            "hello123",
            "freedom1",
            "shadow12",
            "michael1",
            "jordan23",
            "hunter12",
            "superstar",
            "blink182",
            "samsung1",
            "nicole12",
            "daniel12",
            "Summer2026!",
            "123qwe123",
            "qwe123qwe",
            "111222333",
            "Welcome@123",
            "India@123",
            "Admin@1234",
            "monkeymonkey",
            "loveyou2",
            "$unsh1ne",
            "\u{ff50}assword",
        ] {
            // The last one is spelled in full width.
            let refused = code(password);
            assert!(refused.is_some(), "{password}");
        }
        for password in ["kx7 vq2m", "tR9#mZ2q", "ochre lid", "velvet-ham", "plumbing42x"] {
            assert_eq!(code(password), None, "{password}");
        }
        assert_eq!(code("kx7 vq2").as_deref(), Some("too-short"));
    }

    #[test]
    fn long_ones_are_no_better_for_being_long() {
        for password in
            ["sunshinesunshinesunshine", "welcome2026welcome", "qwertyuiop1234567890", "MonkeyDragon2026!"]
        {
            assert_eq!(code(password, &[]).as_deref(), Some("common-password"), "{password}");
        }
        for password in
            ["seven anvils on a roof", "nine kettles in a row", "the dragon ate my football boots"]
        {
            assert_eq!(code(password, &[]), None, "{password}");
        }
    }

    #[test]
    fn whether_it_needs_a_second_factor_is_told() {
        let needs = |password: &str| check_new("/p", &Secret::new(password), true, &[]).unwrap();
        assert!(needs("kx7 vq2m") && !needs("kx7 vq2m kx9 zb4p"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_judged(text in "\\PC{0,300}", about in "\\PC{0,40}") {
            let _ = check_new("/p", &Secret::new(text), true, &[&about]);
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
        for line in include_str!("words.txt").lines() {
            assert!(line.chars().count() >= 3 && fold(line) == line, "{line}");
        }
        let lines: Vec<&str> = COMMON.lines().collect();
        assert!(lines.len() > 10_000, "{}", lines.len());
        assert!(lines.is_sorted_by(|one, next| one < next));
        for line in lines {
            assert!(line.chars().count() >= MIN_WITH_SECOND_FACTOR, "{line}");
            assert_eq!(fold(line), line);
            assert!(is_listed(line), "{line}");
            assert!(!is_listed(&line[1..]) || COMMON.contains(&format!("\n{}\n", &line[1..])), "{line}");
        }
        assert!(
            !is_listed("") && !is_listed("\n") && !is_listed("zzzzzzzzzzzzzz") && !is_listed("\u{1f9c5}")
        );
    }
}
