//! P12 (and with it P1 to P3, P6 and P11) against a second way to the same: an account kept by going through the days one by one.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::Date;
use proptest::prelude::*;
use proptest::sample::select;

use super::DAY;
use super::account::Kept;
use super::random::{History, joining, rules};
use crate::employment::{Facts, Timeline};
use crate::leave::plan::{
    AboveNewCap, Amount, CarryDate, CarryOver, Credit, Earning, Exact, Excess, LeaveYear, LossOfPay,
    MonthDay, OpenGrants, PolicyRules, Proration, Quantity,
};
use crate::leave::{BalanceMinutes, DayPart, InclusiveDays, PostingKind, SandwichRule};
use crate::work_pattern::{WorkRule, WorkWeek};

/// Something on a day.
#[derive(Clone, Copy, Debug)]
enum Event {
    Grant {
        minutes: i64,
        valid: Option<i64>,
    },
    /// A day of leave, on the very day.
    Leave,
}

#[derive(Clone, Debug)]
struct Lot {
    from: Date,
    to: Option<Date>,
    left: i64,
    by_policy: bool,
    number: usize,
}

impl Lot {
    fn order(&self) -> (bool, Option<Date>, Date, bool, usize) {
        (self.to.is_none(), self.to, self.from, !self.by_policy, self.number)
    }
}

/// An account in which each day is gone through in the order of P12.
#[derive(Clone, Debug, Default)]
struct Days {
    lots: Vec<Lot>,
    /// Numbers of the lots that the next carry-over is about.
    open: Vec<usize>,
    balance: BalanceMinutes,
    /// The first day without employment: what was in hand then stays.
    left: Option<Date>,
}

impl Days {
    fn add(&mut self, minutes: i64, from: Date, to: Option<Date>, by_policy: bool) -> usize {
        let number = self.lots.len();
        self.lots.push(Lot { from, to, left: minutes, by_policy, number });
        number
    }

    fn expire(&mut self, day: Date, meant: impl Fn(&Lot) -> bool) {
        for lot in self.lots.iter_mut().filter(|lot| lot.to.is_some_and(|to| to <= day) && meant(lot)) {
            self.balance.expired += std::mem::take(&mut lot.left);
        }
    }

    fn is_employed(&self, day: Date) -> bool {
        self.left.is_none_or(|left| day < left)
    }

    /// When something ends of a policy's: never, when the employment ends before.
    fn ends(&self, to: Date) -> Option<Date> {
        Some(to).filter(|to| self.is_employed(*to))
    }

    fn carry_over(&mut self, day: Date, carry: &CarryOver, next: Date) {
        let mut from = std::mem::take(&mut self.open);
        if carry.open_grants == OpenGrants::Join {
            let grants = self.lots.iter().filter(|lot| !lot.by_policy && lot.to.is_none() && lot.from < day);
            from.extend(grants.map(|lot| lot.number));
        }
        let mut room = carry.limit.most.map_or(i64::MAX, |most| {
            let exact = most.minutes(DAY);
            i64::try_from((exact + Exact::new(1, 2)).floor().to_integer()).unwrap()
        });
        let mut carried = 0;
        for number in from {
            let lot = &mut self.lots[number];
            let part = lot.left.min(room);
            let rest = lot.left - part;
            room -= part;
            carried += part;
            lot.left = rest;
            if carry.limit.excess == Excess::Encashed {
                self.balance.encashed += std::mem::take(&mut lot.left);
            } else if lot.to.is_none() {
                self.balance.expired += std::mem::take(&mut lot.left);
            }
        }
        if carried > 0 {
            let own_end = carry.limit.valid_for.map(|length| length.after(day));
            let number = self.add(carried, day, self.ends(own_end.unwrap_or(next)), true);
            if own_end.is_none() {
                self.open.push(number);
            }
        }
    }

    fn in_hand(&self, day: Date) -> i64 {
        self.lots.iter().filter(|lot| lot.from <= day).map(|lot| lot.left).sum()
    }

    /// Takes a day of leave; whether there was enough.
    fn take(&mut self, day: Date) -> bool {
        if self.in_hand(day) < DAY {
            return false;
        }
        let mut open = DAY;
        let mut order: Vec<usize> =
            self.lots.iter().filter(|lot| lot.from <= day && lot.left > 0).map(|lot| lot.number).collect();
        order.sort_by_key(|number| self.lots[*number].order());
        for number in order {
            let part = open.min(self.lots[number].left);
            self.lots[number].left -= part;
            open -= part;
        }
        self.balance.taken += DAY;
        true
    }

    fn shown(&self, day: Date) -> BalanceMinutes {
        let available = self.in_hand(day);
        let one = self.balance;
        let granted = available + one.taken + one.expired + one.encashed;
        BalanceMinutes { granted, available, ..one }
    }
}

fn carry_day(rules: &PolicyRules, joined: Date) -> Option<MonthDay> {
    let carry = rules.carry_over.as_ref()?;
    Some(match (carry.on, rules.leave_year) {
        (CarryDate::Date(day), _) | (CarryDate::LeaveYear, LeaveYear::On(day)) => day,
        _ => MonthDay::of(joined),
    })
}

/// Balances by day.
type Shown = Vec<(Date, BalanceMinutes)>;

/// Every day from joining on, with the balance on it; `None` when leave isn't covered. Leave that isn't forced is only taken
/// when there is enough, and the days on which it was are the answer, too.
fn day_by_day(
    rules: &PolicyRules,
    credits: &[Credit],
    (joined, left): (Date, Option<Date>),
    last: Date,
    events: &[(Date, Event)],
    forced: bool,
) -> Option<(Shown, Vec<Date>)> {
    let carry = carry_day(rules, joined);
    let (mut account, mut shown, mut taken) = (Days { left, ..Days::default() }, Vec::new(), Vec::new());
    let mut never_credited: BTreeMap<Date, i64> = BTreeMap::new();
    for day in super::days(joined, last, 1) {
        let open = account.open.clone();
        account.expire(day, |lot| !open.contains(&lot.number));
        if let (Some(on), Some(carry)) = (carry, &rules.carry_over)
            && day > joined
            && account.is_employed(day)
            && on.in_year(day.year()) == day
        {
            account.carry_over(day, carry, on.in_year(day.year() + 1));
        }
        account.expire(day, |_| true);
        // What people grant on the day is in hand when policies look at their caps.
        for (_, event) in events.iter().filter(|(on, _)| *on == day) {
            if let Event::Grant { minutes, valid } = event {
                account.add(*minutes, day, valid.map(|days| day + days.days()), false);
            }
        }
        for credit in credits.iter().filter(|one| one.on == day) {
            let room = credit.balance_cap.map_or(i64::MAX, |cap| (cap - account.in_hand(day)).max(0));
            // A year's cap is for what was credited, not for what found no room.
            let lost = never_credited.entry(credit.derivation.leave_year_from).or_default();
            let again = credit.derivation.cut_by_yearly_cap.min(*lost);
            let minutes = (credit.minutes + again).min(room);
            *lost += credit.minutes - minutes;
            if minutes > 0 {
                let next = carry.and_then(|on| {
                    let this = on.in_year(day.year());
                    account.ends(if this > day { this } else { on.in_year(day.year() + 1) })
                });
                let number = account.add(minutes, day, next, true);
                account.open.push(number);
            }
        }
        for (_, event) in events.iter().filter(|(on, _)| *on == day) {
            match event {
                Event::Grant { .. } => {}
                Event::Leave if account.take(day) => taken.push(day),
                Event::Leave if forced => return None,
                Event::Leave => {}
            }
        }
        shown.push((day, account.shown(day)));
    }
    Some((shown, taken))
}

/// Rules by which neither levels change what is carried over or in hand, nor leave changes what is earned.
fn simple_rules() -> impl Strategy<Value = PolicyRules> {
    rules().prop_map(|mut rules| {
        if let Some(plan) = &mut rules.accrual {
            plan.above_new_cap = AboveNewCap::Stays;
            plan.loss_of_pay = LossOfPay::Ignored;
            if plan.proration == Proration::WorkedTime {
                plan.proration = Proration::Days;
            }
            for level in &mut plan.levels {
                level.carry_over = None;
                if matches!(level.earn, Earning::WorkedDays(_) | Earning::WorkedHours(_)) {
                    level.earn = Earning::PerPeriod(Amount::Days(Quantity::parse("1.5").unwrap()));
                }
            }
        }
        rules
    })
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        1 => (1i64..3000, prop::option::of(1i64..700)).prop_map(|(minutes, valid)| Event::Grant { minutes, valid }),
        4 => Just(Event::Leave),
    ]
}

/// Works every day, so that each day of leave is one.
fn every_day() -> WorkRule {
    let week = WorkWeek { saturday: DAY, sunday: DAY, ..WorkWeek::monday_to_friday(DAY) };
    WorkRule { weeks: vec![week], ..WorkRule::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// P12: on one date expiry, carry-over, credit, leave; the same balance on every day as by going through the days. And P5: new
    /// rules for all the years leave the account as it would be had they always been so, when leave gets other lots by them.
    #[test]
    fn p12_a_day_has_an_order(
        rules in simple_rules(), other in simple_rules(), joined in joining(), stay in prop::option::weighted(0.3, 200i64..1800),
        events in prop::collection::vec((1i64..60, event()), 20..60), step in select(vec![1i64, 9]),
    ) {
        let mut employment = Timeline::hired(joined, Facts::default());
        if let Some(days) = stay {
            employment.end(joined + days.days(), None).unwrap();
        }
        let stay = (joined, stay.map(|days| joined + (days + 1).days()));
        let mut day = joined;
        let mut dated = Vec::new();
        for (wait, event) in events {
            day += wait.days();
            if employment.at(day).is_some() {
                dated.push((day, event));
            }
        }
        let last = day + 500.days();
        let history = History {
            rules: rules.clone(),
            employment: employment.clone(),
            pattern: every_day(),
            holidays: Vec::new(),
            sandwich: SandwichRule::None,
            floor: 0,
            paid: true,
            steps: Vec::new(),
        };
        let mut kept = Kept::new(&history);
        let credits = |kept: &Kept| kept.earned(last);
        let (shown, taken) = day_by_day(&rules, &credits(&kept), stay, last, &dated, false).unwrap();
        for (day, event) in &dated {
            kept.today = *day;
            match event {
                Event::Grant { minutes, valid } => kept.grant(*minutes, *day, valid.map(|days| *day + days.days())),
                Event::Leave => {
                    let part = DayPart::Full;
                    let days = InclusiveDays { starts_on: *day, ends_on: *day, start_part: part, end_part: part };
                    let got = kept.submit(days) && kept.approve(kept.requests.len() - 1);
                    prop_assert_eq!(got, taken.contains(day), "leave on {}", day);
                }
            }
        }
        let ledger = kept.replayed(last).ledger;
        for (day, balance) in shown.iter().step_by(usize::try_from(step * 4).unwrap()) {
            prop_assert_eq!(&BalanceMinutes::of(&ledger, *day), balance, "on {}", day);
        }
        // Other rules, as if they had always been.
        let kept_leave = |(day, event): &(Date, Event)| matches!(event, Event::Grant { .. }) || taken.contains(day);
        dated.retain(kept_leave);
        kept.rules_for_ever(other.clone());
        let ledger = kept.replayed(last).ledger;
        // Leave that keeps its lot keeps it, whatever other lots there would have been.
        let stays = kept.stored.live().filter(|one| one.kind == PostingKind::Consumption);
        let stays = stays.filter(|one| ledger.live().any(|now| now.id == one.id)).count();
        if let Some((shown, _)) = day_by_day(&other, &credits(&kept), stay, last, &dated, true)
            && stays == 0
        {
            for (day, balance) in shown.iter().step_by(usize::try_from(step * 4).unwrap()) {
                prop_assert_eq!(&BalanceMinutes::of(&ledger, *day), balance, "by other rules on {}", day);
            }
        }
    }
}
