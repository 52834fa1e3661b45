//! Half-open periods of days.

use jiff::civil::Date;

/// A run of days: from `from` up to but not including `to`; without `to` it never ends. Never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Period {
    from: Date,
    to: Option<Date>,
}

impl Period {
    /// The days from `from` up to but not including `to`; `None` when that is no day at all.
    #[must_use]
    pub fn new(from: Date, to: Option<Date>) -> Option<Self> {
        if to.is_some_and(|to| to <= from) { None } else { Some(Self { from, to }) }
    }

    /// All days from `from` on.
    #[must_use]
    pub fn since(from: Date) -> Self {
        Self { from, to: None }
    }

    /// The first day.
    #[must_use]
    pub fn from(self) -> Date {
        self.from
    }

    /// The first day after it; `None` when it never ends.
    #[must_use]
    pub fn to(self) -> Option<Date> {
        self.to
    }

    /// Whether the day is inside.
    #[must_use]
    pub fn contains(self, day: Date) -> bool {
        self.from <= day && self.to.is_none_or(|to| day < to)
    }

    /// The days that are in both.
    #[must_use]
    pub fn intersect(self, other: Self) -> Option<Self> {
        let to = match (self.to, other.to) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        Self::new(self.from.max(other.from), to)
    }

    /// The days before `day`.
    #[must_use]
    pub fn before(self, day: Date) -> Option<Self> {
        Self::new(self.from, Some(self.to.map_or(day, |to| to.min(day))))
    }

    /// The days from `day` on.
    #[must_use]
    pub fn starting(self, day: Date) -> Option<Self> {
        Self::new(self.from.max(day), self.to)
    }
}

/// Makes something (or nothing) the one of a period: what others had of that period, they lose. Periods of the same that touch become one.
pub(crate) fn assign<T: Copy + PartialEq>(
    assigned: Vec<(T, Period)>,
    one: Option<T>,
    period: Period,
) -> Vec<(T, Period)> {
    let mut kept = Vec::with_capacity(assigned.len() + 2);
    for (old, had) in assigned {
        let parts = [had.before(period.from()), period.to().and_then(|to| had.starting(to))];
        kept.extend(parts.into_iter().flatten().map(|part| (old, part)));
    }
    kept.extend(one.map(|one| (one, period)));
    kept.sort_by_key(|(_, period)| period.from());
    kept.dedup_by(|next, last| {
        let same = last.0 == next.0 && last.1.to() == Some(next.1.from());
        if same && let Some(both) = Period::new(last.1.from(), next.1.to()) {
            last.1 = both;
        }
        same
    });
    kept
}
