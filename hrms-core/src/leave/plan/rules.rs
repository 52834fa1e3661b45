//! What a leave policy says: leave year, who is eligible, how leave is earned, and what is carried over.
//!
//! Rules are data. They are validated once ([`PolicyRules::check`]), stored, and never changed: new rules are a new
//! version of the policy from a date on.

use jiff::Span;
use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::amount::{Amount, Quantity, Rounding};
use crate::employee::Gender;
use crate::employment::{EmploymentType, coded};
use crate::id::LocationId;
use crate::work_pattern::DayOfWeek;

/// The rules of a leave policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct PolicyRules {
    /// When a leave year begins. Default: on 1 January.
    pub leave_year: LeaveYear,
    /// Who earns leave by these rules. Default: everybody.
    pub eligibility: Eligibility,
    /// How leave is earned; without it only by hand.
    pub accrual: Option<AccrualPlan>,
    /// What happens to unused leave; without it, it stays.
    pub carry_over: Option<CarryOver>,
    /// How leave is earned by work on days off; without it, it isn't.
    pub compensatory: Option<CompensatoryRules>,
    /// How leave can be paid out when somebody asks for it; without it, it can't.
    pub encashment: Option<EncashmentRules>,
}

/// A day of each year, written as `MM-DD`. 29 February is 28 February in other years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, example = "04-01"))]
pub struct MonthDay(
    /// Month and day. The day may be more than the month has: it is cut to what the month of a year has.
    (i8, i8),
);

impl MonthDay {
    /// 1 January.
    pub const NEW_YEAR: Self = Self((1, 1));

    /// The day of the year that a date is.
    #[must_use]
    pub fn of(date: Date) -> Self {
        Self((date.month(), date.day()))
    }

    /// The day that this text is.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // Any leap year will do.
        if text.len() == 5 { crate::date::parse(&format!("2000-{text}")).map(Self::of) } else { None }
    }

    /// The date in a year.
    #[must_use]
    pub fn in_year(self, year: i16) -> Date {
        clamped(year, self.0.0, self.0.1)
    }

    /// The same day a number of months later. The day of the month isn't lost where a month is shorter.
    #[must_use]
    pub(super) const fn plus_months(self, months: i8) -> Self {
        Self(((self.0.0 - 1 + months) % 12 + 1, self.0.1))
    }

    /// The same month with another day.
    #[must_use]
    pub(super) const fn with_day(self, day: i8) -> Self {
        Self((self.0.0, day))
    }
}

/// A date, with the day cut to the length of the month.
fn clamped(year: i16, month: i8, day: i8) -> Date {
    let first = Date::new(year, month, 1).unwrap_or(Date::MAX);
    Date::new(year, month, day.min(first.days_in_month())).unwrap_or(first)
}

impl std::fmt::Display for MonthDay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02}-{:02}", self.0.0, self.0.1)
    }
}

impl Serialize for MonthDay {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MonthDay {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let malformed = || D::Error::custom("this is not a day of a year such as 04-01");
        Self::parse(&text).ok_or_else(malformed)
    }
}

/// A length of service or of validity: `{"months": 6}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Length {
    /// Days.
    Days(u16),
    /// Months; a day that a month lacks becomes its last.
    Months(u16),
    /// Years.
    Years(u16),
}

impl Default for Length {
    fn default() -> Self {
        Self::Days(0)
    }
}

impl Length {
    /// The day so much later.
    #[must_use]
    pub fn after(self, day: Date) -> Date {
        day.saturating_add(match self {
            Self::Days(days) => Span::new().days(days),
            Self::Months(months) => Span::new().months(months),
            Self::Years(years) => Span::new().years(years),
        })
    }
}

impl std::fmt::Display for Length {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Days(days) => write!(f, "{days} days"),
            Self::Months(months) => write!(f, "{months} months"),
            Self::Years(years) => write!(f, "{years} years"),
        }
    }
}

/// When a leave year begins: `{"on": "04-01"}` or `"anniversary"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum LeaveYear {
    /// On the same day for everybody.
    On(MonthDay),
    /// On the day of the year on which the employee joined.
    Anniversary,
}

impl Default for LeaveYear {
    fn default() -> Self {
        Self::On(MonthDay::NEW_YEAR)
    }
}

/// Who earns leave. What isn't said doesn't matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Eligibility {
    /// Only after so much service.
    pub after: Length,
    /// Only with one of these contracts.
    pub employment_types: Option<Vec<EmploymentType>>,
    /// Only people of one of these genders, where the law names it.
    pub genders: Option<Vec<Gender>>,
    /// Only at one of these locations.
    pub locations: Option<Vec<LocationId>>,
}

/// How leave is earned by work on days off. For work on a day, the rules of the day after it hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CompensatoryRules {
    /// Days after the day of work within which it can be claimed; without it at any time later.
    pub claim_within_days: Option<u16>,
    /// How long it can be used; without it, it never expires.
    pub valid_for: Option<Length>,
    /// From when on it can be used. Default: from the day after the work.
    pub begins: CompensatoryStart,
}

coded! {
    /// From when on compensatory leave can be used.
    #[derive(Default)]
    CompensatoryStart {
        /// The day after the work.
        #[default]
        DayAfter = "day_after",
        /// The day on which the claim is approved.
        Approval = "approval",
    }
}

/// How leave can be paid out when somebody asks for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct EncashmentRules {
    /// The most in a leave year, by the day on which it is asked for; without it there is no limit.
    pub most_per_year: Option<Amount>,
    /// What has to stay in hand. Default: nothing.
    pub keep: Option<Amount>,
}

impl EncashmentRules {
    /// The most in a leave year, in minutes.
    pub(crate) fn most_minutes(&self, minutes_per_day: i64) -> Option<i64> {
        self.most_per_year.map(|most| super::amount::whole(most.minutes(minutes_per_day)))
    }

    /// What has to stay in hand, in minutes.
    pub(crate) fn keep_minutes(&self, minutes_per_day: i64) -> i64 {
        self.keep.map_or(0, |keep| super::amount::whole(keep.minutes(minutes_per_day)))
    }
}

impl PolicyRules {
    /// The first day of the leave year that a day is in, for somebody who joined on a day.
    pub(crate) fn leave_year_from(&self, joined: Date, day: Date) -> Date {
        super::calendar::leave_year(self.leave_year, joined, day).from
    }
}

/// How leave is earned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AccrualPlan {
    /// What is earned at which length of service, by length of service.
    pub levels: Vec<AccrualLevel>,
    /// When the next level begins. Default: on the very day.
    #[serde(default)]
    pub level_change: LevelChange,
    /// What happens to leave in hand above the balance cap of a level that begins. Default: it stays.
    #[serde(default)]
    pub above_new_cap: AboveNewCap,
    /// What somebody earns who isn't there for the whole period. Default: by days.
    #[serde(default)]
    pub proration: Proration,
    /// How credits are rounded. Default: exact to the minute.
    #[serde(default)]
    pub rounding: Option<Rounding>,
    /// What unpaid absence does. Default: nothing.
    #[serde(default)]
    pub loss_of_pay: LossOfPay,
}

/// What is earned from a length of service on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AccrualLevel {
    /// From so much service on. Default: from the first day.
    #[serde(default)]
    pub after: Length,
    /// How much is earned.
    pub earn: Earning,
    /// How often it is credited.
    pub every: Frequency,
    /// When periods begin. Default: with the leave year; weeks on Monday.
    #[serde(default)]
    pub begins: PeriodStart,
    /// On which day of a period it is credited. Default: the last.
    #[serde(default)]
    pub credit: CreditDay,
    /// Most leave in hand: a credit is cut to what is missing, and the rest lapses.
    #[serde(default)]
    pub balance_cap: Option<Amount>,
    /// Most leave credited in a leave year.
    #[serde(default)]
    pub yearly_cap: Option<Amount>,
    /// What is carried over from this level, instead of the policy's limit.
    #[serde(default)]
    pub carry_over: Option<CarryLimit>,
}

/// How much is earned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Earning {
    /// So much a leave year, in equal parts; never more, whatever rounding does (P7).
    PerYear(Amount),
    /// So much each period.
    PerPeriod(Amount),
    /// A day for every so many days worked.
    WorkedDays(WorkedDays),
    /// A part of the hours worked.
    WorkedHours(WorkedHours),
}

/// A day of leave for every so many days worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct WorkedDays {
    /// Days worked for one day of leave.
    pub for_each: u16,
    /// Nothing is earned before so many days were worked in the leave year; then all of them count.
    #[serde(default)]
    pub at_least: u16,
}

/// Leave as a part of the hours worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct WorkedHours {
    /// Percent of the hours worked, such as `"12.07"`.
    pub percent: Quantity,
}

coded! {
    /// How often leave is credited.
    Frequency {
        /// All of a leave year on its first day.
        UpFront = "up_front",
        /// Each day.
        Daily = "daily",
        /// Each week.
        Weekly = "weekly",
        /// Twice a month.
        TwiceMonthly = "twice_monthly",
        /// Each month.
        Monthly = "monthly",
        /// Four times a year.
        Quarterly = "quarterly",
        /// Twice a year.
        HalfYearly = "half_yearly",
        /// Once a year.
        Yearly = "yearly",
    }
}

impl Frequency {
    /// How many periods of calendar months a year has; `None` for days and weeks.
    #[must_use]
    pub(super) const fn periods_a_year(self) -> Option<i8> {
        match self {
            Self::Daily | Self::Weekly => None,
            Self::TwiceMonthly => Some(24),
            Self::Monthly => Some(12),
            Self::Quarterly => Some(4),
            Self::HalfYearly => Some(2),
            Self::UpFront | Self::Yearly => Some(1),
        }
    }
}

/// When periods begin. Days 29 to 31 are the last day of months that are shorter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum PeriodStart {
    /// With the leave year and at equal distances from there; weeks on Monday; half months on the 1st and the 16th.
    #[default]
    LeaveYear,
    /// On the day of the month on which the employee joined.
    JoiningDay,
    /// Weeks: on this day.
    Weekday(DayOfWeek),
    /// Months: on this day.
    Day(i8),
    /// Half months: on these days.
    Days([i8; 2]),
    /// Years: on this date.
    Date(MonthDay),
    /// Half years: on these dates.
    HalfYears([MonthDay; 2]),
    /// Quarters: on these dates.
    Quarters([MonthDay; 4]),
}

coded! {
    /// On which day of a period leave is credited.
    #[derive(Default)]
    CreditDay {
        /// The first day of it that is served.
        Start = "start",
        /// The last day of it that is served.
        #[default]
        End = "end",
        /// The day after it; for leavers their last day.
        DayAfter = "day_after",
    }
}

coded! {
    /// When the next level begins.
    #[derive(Default)]
    LevelChange {
        /// On the day on which the length of service is reached; the period is split there.
        #[default]
        Immediate = "immediate",
        /// With the next period.
        NextPeriod = "next_period",
        /// With the next leave year.
        NextLeaveYear = "next_leave_year",
    }
}

coded! {
    /// What happens to leave in hand above the balance cap of a level that begins.
    #[derive(Default)]
    AboveNewCap {
        /// It stays; nothing is credited until there is less.
        #[default]
        Stays = "stays",
        /// It lapses on that day.
        Lapses = "lapses",
    }
}

/// What somebody earns who is there for a part of a period only: who joins, leaves, or gets another policy or level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Proration {
    /// All of it, whoever is there on the day of credit.
    None,
    /// By days of the period served.
    #[default]
    Days,
    /// By months of the period: a month counts for who is there on its cutoff day.
    Months(MonthCutoff),
    /// By working time of the period that was worked.
    WorkedTime,
}

/// Which day of a month decides whether it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MonthCutoff {
    /// The day, 1 to 31; in shorter months the last one.
    pub cutoff_day: u8,
}

coded! {
    /// What unpaid absence does to credits.
    #[derive(Default)]
    LossOfPay {
        /// Nothing.
        #[default]
        Ignored = "ignored",
        /// It reduces a credit by its part of the working time of the period.
        Reduces = "reduces",
    }
}

/// What happens to unused leave, once a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CarryOver {
    /// When. Default: on the first day of the leave year.
    #[serde(default)]
    pub on: CarryDate,
    /// How much, and for how long. Levels may say otherwise. Default: all of it, carried again each time.
    #[serde(default)]
    pub limit: CarryLimit,
    /// What happens to leave granted by hand without an end. Default: it stays.
    #[serde(default)]
    pub open_grants: OpenGrants,
}

/// When unused leave is carried over: `"leave_year"`, `{"date": "06-05"}` or `"anniversary"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CarryDate {
    /// On the first day of the leave year.
    #[default]
    LeaveYear,
    /// On this date.
    Date(MonthDay),
    /// On the day of the year on which the employee joined.
    Anniversary,
}

/// How much is carried over, and for how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CarryLimit {
    /// Most leave that is carried over; without it all of it.
    pub most: Option<Amount>,
    /// Most leave in hand with it and what is granted or credited on that day: what is carried over is cut, not what is new.
    pub total: Option<Amount>,
    /// How long carried leave can be used; without it until the next carry-over, which carries it again.
    pub valid_for: Option<Length>,
    /// What happens to what is above the limit. Default: it lapses.
    pub excess: Excess,
}

coded! {
    /// What happens to unused leave that isn't carried over.
    #[derive(Default)]
    Excess {
        /// It lapses.
        #[default]
        Lapses = "lapses",
        /// It is to be paid out.
        Encashed = "encashed",
    }
}

coded! {
    /// What carry-over does with leave granted by hand without an end of validity.
    #[derive(Default)]
    OpenGrants {
        /// Nothing: it never expires.
        #[default]
        Stay = "stay",
        /// The same as with earned leave.
        Join = "join",
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn days_of_the_year_are_clamped_and_come_back() {
        let leap = MonthDay::parse("02-29").unwrap();
        assert_eq!((leap.in_year(2027), leap.in_year(2028)), (date(2027, 2, 28), date(2028, 2, 29)));
        let last = MonthDay::parse("12-31").unwrap();
        assert_eq!(last.plus_months(2).in_year(2027), date(2027, 2, 28));
        assert_eq!(last.plus_months(3).in_year(2027), date(2027, 3, 31));
        for bad in ["", "2-29", "02-30", "13-01", "00-10", "01-00", "0101", "01/01", "2026-01-01"] {
            assert_eq!(MonthDay::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn rules_are_read_and_written_alike() {
        let text = r#"{
            "leave_year": {"on": "04-01"},
            "eligibility": {"after": {"months": 3}, "employment_types": ["full_time"]},
            "accrual": {
                "levels": [
                    {"earn": {"per_year": {"days": "18"}}, "every": "monthly"},
                    {"after": {"years": 5}, "earn": {"per_period": {"hours": "2"}}, "every": "weekly",
                     "begins": {"weekday": "monday"}, "credit": "start", "balance_cap": {"days": "45"}}
                ],
                "proration": {"months": {"cutoff_day": 15}},
                "rounding": {"mode": "nearest", "step": {"days": "0.5"}, "of": "running_total"}
            },
            "carry_over": {"on": {"date": "01-01"}, "limit": {"most": {"days": "10"}, "valid_for": {"days": 90}}}
        }"#;
        let rules: PolicyRules = serde_json::from_str(text).unwrap();
        let again: PolicyRules = serde_json::from_str(&serde_json::to_string(&rules).unwrap()).unwrap();
        assert_eq!(rules, again);
        for bad in [
            r#"{"leave_year":"calendar"}"#,
            r#"{"accrual":{"levels":[]},"more":1}"#,
            r#"{"accrual":{"levels":[{"earn":{"per_year":{"days":"18"}},"every":"monthly","extra":1}]}}"#,
            r#"{"accrual":{"levels":[{"earn":{"per_year":{"days":"-18"}},"every":"monthly"}]}}"#,
            r#"{"accrual":{"levels":[{"earn":{"per_year":{"days":"18"}},"every":"hourly"}]}}"#,
        ] {
            assert!(serde_json::from_str::<PolicyRules>(bad).is_err(), "{bad}");
        }
    }
}
