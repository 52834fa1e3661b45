//! How long a failed job waits before its next attempt.

use jiff::SignedDuration;

/// The wait after the first failed attempt, in milliseconds.
const FIRST_MS: u64 = 2_000;
/// The longest wait, in milliseconds: one hour.
const LONGEST_MS: u64 = 3_600_000;

/// The wait after failed attempt number `attempt` (1 is the first): doubling from two seconds to an
/// hour, shortened by up to a quarter by `jitter`, so that jobs that failed together don't all
/// come back together.
#[must_use]
pub fn backoff(attempt: u16, jitter: u16) -> SignedDuration {
    let doublings = u32::from(attempt.saturating_sub(1)).min(32);
    let full = FIRST_MS.saturating_mul(1 << doublings).min(LONGEST_MS);
    let cut = full / 4 * u64::from(jitter) / u64::from(u16::MAX);
    SignedDuration::from_millis(i64::try_from(full - cut).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_an_hour() {
        let seconds = |attempt| backoff(attempt, 0).as_secs();
        assert_eq!((seconds(1), seconds(2), seconds(3)), (2, 4, 8));
        assert_eq!((seconds(11), seconds(12), seconds(u16::MAX)), (2048, 3600, 3600));
    }

    proptest::proptest! {
        #[test]
        fn jitter_takes_away_at_most_a_quarter(attempt: u16, jitter: u16) {
            let (full, cut) = (backoff(attempt, 0), backoff(attempt, jitter));
            proptest::prop_assert!(cut <= full);
            proptest::prop_assert!(cut >= full * 3 / 4);
        }
    }
}
