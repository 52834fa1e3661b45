//! Leave: types, lots and the append-only ledger, requests and their decisions.
//!
//! A *lot* is a dated grant with its own validity. Leave is drawn from lots by *postings*, signed rows of a
//! ledger that only grows; the balance of any day is a pure function of it ([`BalanceMinutes::of`]).
//! Amounts are exact minutes; days are a view of them.

/// An enum with stable text codes, the same in JSON and in storage.
macro_rules! coded {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $code:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum $name { $($(#[$variant_meta])* $variant,)+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable name, as in JSON.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The value with this stable name.
            #[must_use]
            pub fn from_code(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

mod amount;
mod balance;
mod day_count;
mod ledger;

pub use amount::{MAX_MINUTES, days_text, minutes_of_days};
pub use balance::BalanceMinutes;
pub use day_count::{
    CountedDay, DayFacts, DayPart, DayReason, InclusiveDays, WorkWeek, count_working_days, total_minutes,
};
pub use ledger::{
    Demand, LeaveLot, LeavePosting, Ledger, LotSource, NewPosting, PostingKind, Share, Uncovered,
};
