//! When a delivery is tried again, and when an endpoint is given up.

use jiff::SignedDuration;

/// The waits between attempts: three days in all.
const WAITS: [SignedDuration; 9] = [
    SignedDuration::from_secs(5),
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(30),
    SignedDuration::from_hours(2),
    SignedDuration::from_hours(5),
    SignedDuration::from_hours(10),
    SignedDuration::from_hours(14),
    SignedDuration::from_hours(20),
    SignedDuration::from_hours(24),
];

/// How often a delivery is tried.
pub const ATTEMPTS: usize = WAITS.len() + 1;

/// An endpoint that takes nothing for so long is disabled.
pub const FAILING_FOR: SignedDuration = SignedDuration::from_hours(5 * 24);

/// The wait after failed attempt number `attempt` (1 is the first), lengthened by up to a tenth by `jitter`, so
/// that what failed together doesn't come back together; `None` after the last one.
#[must_use]
pub fn wait(attempt: u16, jitter: u16) -> Option<SignedDuration> {
    let full = WAITS.get(usize::from(attempt.checked_sub(1)?))?;
    let more = full.as_millis() / 10 * i128::from(jitter) / i128::from(u16::MAX);
    Some(*full + SignedDuration::from_millis(i64::try_from(more).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end_after_three_days() {
        let waits: Vec<i64> =
            (1..).map_while(|attempt| wait(attempt, 0)).map(|wait| wait.as_secs()).collect();
        assert_eq!(waits.len() + 1, ATTEMPTS);
        assert!(waits.is_sorted());
        assert_eq!(waits.iter().sum::<i64>() / 3600, 75);
        assert_eq!(wait(0, 0), None);
        assert_eq!(wait(u16::MAX, 0), None);
    }

    proptest::proptest! {
        #[test]
        fn jitter_adds_at_most_a_tenth(attempt in 1u16..10, jitter: u16) {
            let (full, more) = (wait(attempt, 0).unwrap(), wait(attempt, jitter).unwrap());
            proptest::prop_assert!(more >= full && more.as_millis() <= full.as_millis() * 11 / 10);
        }
    }
}
