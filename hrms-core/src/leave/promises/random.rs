//! Random rules, calendars, employments and histories. All of it is valid: what the services would refuse isn't made.

use jiff::ToSpan;
use jiff::civil::{Date, date};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::employment::{Change, EmploymentType, Facts, Timeline};
use crate::leave::plan::{
    AboveNewCap, AccrualLevel, AccrualPlan, Amount, CarryDate, CarryLimit, CarryOver, CreditDay, Earning,
    Eligibility, Excess, Frequency, LeaveYear, Length, LevelChange, LossOfPay, MonthCutoff, MonthDay,
    OpenGrants, PeriodStart, PolicyRules, Proration, Quantity, Rounding, RoundingMode, RoundingOf,
    WorkedDays, WorkedHours,
};
use crate::leave::{DayPart, SandwichRule};
use crate::period::Period;
use crate::work_pattern::{DayOfWeek, NthWeekday, WorkRule, WorkWeek};

/// The first year in which anybody joins.
pub(super) const FIRST_YEAR: i16 = 2019;

/// So many quarters of a day.
fn quarters(number: i64) -> Quantity {
    Quantity::parse(&format!("{}.{:02}", number / 4, number % 4 * 25)).unwrap()
}

/// Days, half days and odd hours.
fn amount(most_days: i64) -> impl Strategy<Value = Amount> {
    prop_oneof![
        4 => (1..=most_days).prop_map(|days| Amount::Days(quarters(days * 4))),
        2 => (1..=most_days * 4).prop_map(|number| Amount::Days(quarters(number))),
        1 => (1..=most_days * 8, select(vec!["0", "5", "1", "333"])).prop_map(|(hours, part)| {
            Amount::Hours(Quantity::parse(&format!("{hours}.{part}")).unwrap())
        }),
    ]
}

/// A day of a year; the last days of months and 29 February more often than others.
pub(super) fn month_day() -> impl Strategy<Value = MonthDay> {
    let named = ["01-01", "04-01", "07-01", "02-28", "02-29", "01-31", "03-30", "08-31", "12-31"];
    prop_oneof![
        3 => select(named.to_vec()).prop_map(|text| MonthDay::parse(text).unwrap()),
        1 => (1i8..=12, 1i8..=28).prop_map(|(month, day)| MonthDay::of(date(2000, month, day))),
    ]
}

pub(super) fn leave_year() -> impl Strategy<Value = LeaveYear> {
    prop_oneof![
        2 => Just(LeaveYear::default()),
        2 => month_day().prop_map(LeaveYear::On),
        1 => Just(LeaveYear::Anniversary),
    ]
}

/// How often, and when periods begin. Each day is rare: it makes thousands of lots.
pub(super) fn frequency() -> impl Strategy<Value = (Frequency, PeriodStart)> {
    use Frequency::{Daily, HalfYearly, Monthly, Quarterly, TwiceMonthly, UpFront, Weekly, Yearly};
    let every = prop_oneof![
        1 => Just(Daily), 2 => Just(Weekly), 3 => Just(UpFront), 3 => Just(TwiceMonthly), 8 => Just(Monthly),
        4 => Just(Quarterly), 3 => Just(HalfYearly), 3 => Just(Yearly),
    ];
    let weekday = select(DayOfWeek::ALL.to_vec());
    let last = prop_oneof![Just(29i8), Just(30), Just(31), 1i8..=28];
    (every, any::<bool>(), any::<bool>(), weekday, last, month_day()).prop_map(
        |(every, own, joining, weekday, day, on)| {
            let later = |months: i64| MonthDay::of(on.in_year(2000).saturating_add(months.months()));
            let begins = match every {
                UpFront | Daily => PeriodStart::LeaveYear,
                Weekly if own => PeriodStart::Weekday(weekday),
                TwiceMonthly if own => PeriodStart::Days([day.clamp(2, 27) - 1, day.max(27)]),
                Monthly | Quarterly | HalfYearly | Yearly if joining => PeriodStart::JoiningDay,
                Monthly if own => PeriodStart::Day(day),
                Yearly if own => PeriodStart::Date(on),
                HalfYearly if own => {
                    let mut dates = [on, later(5)];
                    dates.sort_unstable();
                    PeriodStart::HalfYears(dates)
                }
                Quarterly if own => {
                    let mut dates = [on, later(2), later(5), later(9)];
                    dates.sort_unstable();
                    PeriodStart::Quarters(dates)
                }
                _ => PeriodStart::LeaveYear,
            };
            (every, begins)
        },
    )
}

fn earning() -> impl Strategy<Value = Earning> {
    prop_oneof![
        6 => amount(40).prop_map(Earning::PerYear),
        3 => amount(3).prop_map(Earning::PerPeriod),
        1 => (10u16..40, prop_oneof![Just(0u16), 1u16..200])
            .prop_map(|(for_each, at_least)| Earning::WorkedDays(WorkedDays { for_each, at_least })),
        1 => select(vec!["12.07", "5", "0.5"])
            .prop_map(|percent| Earning::WorkedHours(WorkedHours { percent: Quantity::parse(percent).unwrap() })),
    ]
}

fn length() -> impl Strategy<Value = Length> {
    prop_oneof![
        (1u16..200).prop_map(Length::Days),
        (1u16..15).prop_map(Length::Months),
        Just(Length::Years(1)),
    ]
}

fn carry_limit() -> impl Strategy<Value = CarryLimit> {
    let most = prop::option::of(prop_oneof![Just(Amount::Days(quarters(0))), amount(15)]);
    let excess = select(Excess::ALL.to_vec());
    (most, prop::option::of(length()), excess).prop_map(|(most, valid_for, excess)| CarryLimit {
        most,
        total: None,
        valid_for,
        excess,
    })
}

pub(super) fn carry_over() -> impl Strategy<Value = CarryOver> {
    let on = prop_oneof![
        2 => Just(CarryDate::LeaveYear),
        1 => month_day().prop_map(CarryDate::Date),
        1 => Just(CarryDate::Anniversary),
    ];
    (on, carry_limit(), select(OpenGrants::ALL.to_vec())).prop_map(|(on, limit, open_grants)| CarryOver {
        on,
        limit,
        open_grants,
    })
}

fn level() -> impl Strategy<Value = AccrualLevel> {
    let caps = (
        prop::option::weighted(0.3, amount(30)),
        prop::option::weighted(0.2, amount(30)),
        prop::option::weighted(0.2, carry_limit()),
    );
    (earning(), frequency(), select(CreditDay::ALL.to_vec()), caps).prop_map(
        |(earn, (every, begins), credit, (balance_cap, yearly_cap, carry_over))| {
            let is_up_front = every == Frequency::UpFront;
            let by_work = matches!(earn, Earning::WorkedDays(_) | Earning::WorkedHours(_));
            let once = Earning::PerPeriod(Amount::Days(quarters(48)));
            // Counting the days worked so far on each day takes long.
            let (every, begins) = match every {
                Frequency::Daily if by_work => (Frequency::Monthly, PeriodStart::LeaveYear),
                _ => (every, begins),
            };
            AccrualLevel {
                after: Length::default(),
                earn: if is_up_front && by_work { once } else { earn },
                every,
                begins,
                credit: if is_up_front { CreditDay::Start } else { credit },
                balance_cap,
                yearly_cap,
                carry_over,
            }
        },
    )
}

pub(super) fn rounding() -> impl Strategy<Value = Rounding> {
    let step = select(vec!["0.25", "0.5", "1", "0.1", "3"]);
    let of = select(RoundingOf::ALL.to_vec());
    (select(RoundingMode::ALL.to_vec()), step, of, any::<bool>()).prop_map(|(mode, step, of, hours)| {
        let step = Quantity::parse(step).unwrap();
        Rounding { mode, step: if hours { Amount::Hours(step) } else { Amount::Days(step) }, of }
    })
}

pub(super) fn accrual() -> impl Strategy<Value = AccrualPlan> {
    let levels = prop::collection::vec((level(), length()), 1..4);
    let proration = prop_oneof![
        4 => Just(Proration::Days),
        1 => Just(Proration::None),
        2 => (1u8..=31).prop_map(|cutoff_day| Proration::Months(MonthCutoff { cutoff_day })),
        1 => Just(Proration::WorkedTime),
    ];
    let ways = (
        select(LevelChange::ALL.to_vec()),
        select(AboveNewCap::ALL.to_vec()),
        proration,
        prop::option::of(rounding()),
        select(LossOfPay::ALL.to_vec()),
    );
    (levels, any::<bool>(), ways).prop_map(
        |(levels, at_once, (level_change, above_new_cap, proration, rounding, loss_of_pay))| {
            let mut reached = 0;
            let mut all = Vec::new();
            for (mut level, length) in levels {
                if !(at_once && all.is_empty()) {
                    reached += match length {
                        Length::Days(days) => days,
                        Length::Months(months) => months * 31,
                        Length::Years(years) => years * 366,
                    };
                    level.after = if reached % 2 == 0 {
                        Length::Days(reached)
                    } else {
                        Length::Months(reached.div_ceil(30))
                    };
                }
                reached = reached.div_ceil(30) * 31;
                all.push(level);
            }
            let months = |level: &AccrualLevel| {
                !matches!(level.every, Frequency::Daily | Frequency::Weekly | Frequency::TwiceMonthly)
            };
            let proration = match proration {
                Proration::Months(_) if !all.iter().all(months) => Proration::Days,
                other => other,
            };
            AccrualPlan { levels: all, level_change, above_new_cap, proration, rounding, loss_of_pay }
        },
    )
}

/// Rules with everything that rules can say.
pub(super) fn rules() -> impl Strategy<Value = PolicyRules> {
    let after = prop_oneof![4 => Just(Length::default()), 1 => length()];
    let contract = prop::option::weighted(0.15, Just(vec![EmploymentType::FullTime]));
    (leave_year(), after, contract, accrual(), prop::option::weighted(0.6, carry_over())).prop_map(
        |(leave_year, after, employment_types, mut accrual, carry_over)| {
            if carry_over.is_none() {
                accrual.levels.iter_mut().for_each(|level| level.carry_over = None);
            }
            let eligibility = Eligibility { after, employment_types, ..Eligibility::default() };
            let accrual = Some(accrual);
            let mut rules =
                PolicyRules { leave_year, eligibility, accrual, carry_over, ..PolicyRules::default() };
            // What would round each credit to nothing is rounded in sum.
            if let Some(rounding) = rules.accrual.as_mut().and_then(|plan| plan.rounding.as_mut())
                && rounding.of == RoundingOf::Credit
            {
                let kept = *rounding;
                if !rules.check("").is_empty() {
                    let of = RoundingOf::RunningTotal;
                    let plan = rules.accrual.as_mut().unwrap();
                    plan.rounding = Some(Rounding { of, ..kept });
                }
            }
            assert_eq!(rules.check(""), [], "{rules:?}");
            rules
        },
    )
}

/// The day on which somebody joins: a 29th, 30th or 31st and leap days more often than others.
pub(super) fn joining() -> impl Strategy<Value = Date> {
    let named = vec![
        date(2019, 1, 1),
        date(2019, 1, 31),
        date(2019, 8, 30),
        date(2019, 3, 29),
        date(2020, 2, 28),
        date(2020, 2, 29),
        date(2019, 12, 31),
        date(2019, 4, 1),
    ];
    prop_oneof![2 => select(named), 1 => (0i64..500).prop_map(|days| date(FIRST_YEAR, 1, 1) + days.days())]
}

/// Somebody who joins, works part-time for a while perhaps, leaves perhaps, and comes back perhaps.
pub(super) fn employment() -> impl Strategy<Value = Timeline> {
    let part_time = prop::option::weighted(0.3, (1i64..1200, 1i64..400));
    let end = prop::option::weighted(0.4, (0i64..2000, prop::option::of(1i64..400)));
    (joining(), part_time, end).prop_map(|(joined, part_time, end)| {
        let mut timeline = Timeline::hired(joined, Facts::default());
        if let Some((after, length)) = part_time {
            let from = joined + after.days();
            let period = Period::new(from, Some(from + length.days())).unwrap();
            let part_time = Some(EmploymentType::PartTime);
            timeline.assign(period, &Change { employment_type: part_time, ..Change::default() });
        }
        if let Some((stay, back)) = end {
            let last = joined + stay.days();
            timeline.end(last, None).unwrap();
            if let Some(gap) = back {
                timeline.rehire(last + (1 + gap).days(), Facts::default()).unwrap();
            }
        }
        timeline
    })
}

/// Five days, five and a half with Saturdays off, four long ones, or a cycle of two weeks.
pub(super) fn pattern() -> impl Strategy<Value = WorkRule> {
    let plain = WorkRule::default();
    let off = |nth| NthWeekday { weekday: DayOfWeek::Saturday, nth, minutes: 0 };
    let saturdays = WorkRule {
        weeks: vec![WorkWeek { saturday: 240, ..WorkWeek::monday_to_friday(DAY) }],
        nth_weekdays: vec![off(2), off(4)],
        ..plain.clone()
    };
    let long =
        WorkRule { weeks: vec![WorkWeek { friday: 0, ..WorkWeek::monday_to_friday(600) }], ..plain.clone() };
    let short = WorkWeek { tuesday: 0, thursday: 123, ..WorkWeek::default() };
    let turns = WorkRule {
        weeks: vec![WorkWeek::monday_to_friday(DAY), short],
        first_week: Some(date(2020, 1, 6)),
        ..plain.clone()
    };
    select(vec![plain, saturdays, long, turns])
}

const DAY: i64 = super::DAY;

/// Holidays of years: some at weekends, some beside them.
pub(super) fn holidays() -> impl Strategy<Value = Vec<Date>> {
    prop::collection::btree_set(0i64..2900, 0..60)
        .prop_map(|days| days.into_iter().map(|day| date(FIRST_YEAR, 1, 1) + day.days()).collect())
}

pub(super) fn sandwich() -> impl Strategy<Value = SandwichRule> {
    select(SandwichRule::ALL.to_vec())
}

/// Something that happens to an account. Which request is meant is an index into those that are there.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Submit {
        ahead: i64,
        days: i64,
        start: DayPart,
        end: DayPart,
    },
    Approve(Index),
    Reject(Index),
    Cancel(Index),
    Grant {
        ahead: i64,
        valid: Option<i64>,
        minutes: i64,
    },
    /// Other rules, from a day on, for ever or for so many days.
    Rules {
        ahead: i64,
        length: Option<i64>,
        rules: Box<PolicyRules>,
    },
    /// A holiday, or not any more.
    Holiday {
        ahead: i64,
    },
    /// The last day.
    Leave {
        ahead: i64,
    },
    Rehire {
        ahead: i64,
    },
}

fn part() -> impl Strategy<Value = DayPart> {
    prop_oneof![3 => Just(DayPart::Full), 1 => Just(DayPart::FirstHalf), 1 => Just(DayPart::SecondHalf)]
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    prop_oneof![
        8 => (-40i64..250, 1i64..15, part(), part())
            .prop_map(|(ahead, days, start, end)| Step::Submit { ahead, days, start, end }),
        7 => index().prop_map(Step::Approve),
        1 => index().prop_map(Step::Reject),
        3 => index().prop_map(Step::Cancel),
        2 => (-40i64..200, prop::option::of(1i64..600), 1i64..6000)
            .prop_map(|(ahead, valid, minutes)| Step::Grant { ahead, valid, minutes }),
        2 => (-300i64..300, prop::option::of(1i64..500), rules())
            .prop_map(|(ahead, length, rules)| Step::Rules { ahead, length, rules: Box::new(rules) }),
        3 => (-60i64..200).prop_map(|ahead| Step::Holiday { ahead }),
        1 => (-40i64..100).prop_map(|ahead| Step::Leave { ahead }),
        1 => (-20i64..60).prop_map(|ahead| Step::Rehire { ahead }),
    ]
}

/// Where an account begins, and what happens to it, with the days until it does: five years and more.
#[derive(Clone, Debug)]
pub(super) struct History {
    pub(super) rules: PolicyRules,
    pub(super) employment: Timeline,
    pub(super) pattern: WorkRule,
    pub(super) holidays: Vec<Date>,
    pub(super) sandwich: SandwichRule,
    /// The most that may be taken in advance, in minutes.
    pub(super) floor: i64,
    pub(super) paid: bool,
    pub(super) steps: Vec<(i64, Step)>,
}

pub(super) fn history() -> impl Strategy<Value = History> {
    let steps = prop::collection::vec((20i64..140, step()), 22..32);
    let floor = prop_oneof![Just(0i64), Just(DAY), Just(5 * DAY + 120)];
    let place = (pattern(), holidays(), sandwich());
    (rules(), joining(), place, floor, prop::bool::weighted(0.7), steps).prop_map(
        |(rules, joined, (pattern, holidays, sandwich), floor, paid, steps)| History {
            rules,
            employment: Timeline::hired(joined, Facts::default()),
            pattern,
            holidays,
            sandwich,
            floor,
            paid,
            steps,
        },
    )
}
