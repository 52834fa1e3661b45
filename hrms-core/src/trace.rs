//! The distributed trace that a request is part of, as W3C Trace Context writes it.

use std::fmt;
use std::str::FromStr;

/// A `traceparent`: which trace, which of its spans called, and whether it is sampled.
///
/// See <https://www.w3.org/TR/trace-context/#traceparent-header>.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Trace {
    id: [u8; 16],
    parent: [u8; 8],
    flags: u8,
}

/// The text is no `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent")]
pub struct NotATrace;

impl FromStr for Trace {
    type Err = NotATrace;

    /// Reads version `00`, and of later versions what `00` has.
    fn from_str(text: &str) -> Result<Self, NotATrace> {
        let mut parts = text.splitn(5, '-');
        let version = hex::<1>(parts.next())?;
        let id = hex(parts.next())?;
        let parent = hex(parts.next())?;
        let [flags] = hex(parts.next())?;
        let more = parts.next().is_some();
        let wrong = version == [0xff] || (version == [0] && more) || id == [0; 16] || parent == [0; 8];
        if wrong { Err(NotATrace) } else { Ok(Self { id, parent, flags }) }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, parent) = (u128::from_be_bytes(self.id), u64::from_be_bytes(self.parent));
        write!(f, "00-{id:032x}-{parent:016x}-{:02x}", self.flags)
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Exactly `N` bytes in lower-case hexadecimal digits.
fn hex<const N: usize>(text: Option<&str>) -> Result<[u8; N], NotATrace> {
    let digits = text.ok_or(NotATrace)?.as_bytes();
    let digit = |at: usize| match digits.get(at) {
        Some(digit @ b'0'..=b'9') => Ok(digit - b'0'),
        Some(digit @ b'a'..=b'f') => Ok(digit - b'a' + 10),
        _ => Err(NotATrace),
    };
    if digits.len() != 2 * N {
        return Err(NotATrace);
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = digit(2 * at)? << 4 | digit(2 * at + 1)?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_standard_is_read_and_written() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(text.parse::<Trace>().unwrap().to_string(), text);
    }

    #[test]
    fn what_a_later_version_adds_is_left_out() {
        let later = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-will-be-like";
        let read = later.parse::<Trace>().unwrap().to_string();
        assert_eq!(read, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for text in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
        ] {
            assert_eq!(text.parse::<Trace>(), Err(NotATrace), "{text}");
        }
    }
}
