//! The reporting line of a whole organisation over time, and the search for cycles in it (P24).

use std::collections::HashMap;

use jiff::civil::Date;

use crate::employment::Timeline;
use crate::id::EmployeeId;
use crate::period::Period;

/// Who reports to whom, and when.
#[derive(Clone, Debug, Default)]
pub struct ReportingLine(HashMap<EmployeeId, Vec<(Period, EmployeeId)>>);

/// Somebody who is, on some day, above themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cycle {
    /// Somebody in the cycle.
    pub employee: EmployeeId,
    /// A day on which it exists.
    pub on: Date,
}

impl ReportingLine {
    /// Adds a period in which `employee` reports to `manager`.
    pub fn add(&mut self, employee: EmployeeId, period: Period, manager: EmployeeId) {
        self.0.entry(employee).or_default().push((period, manager));
    }

    /// Replaces everything known of one employee's managers.
    pub fn set(&mut self, employee: EmployeeId, timeline: &Timeline) {
        self.0.insert(employee, timeline.managers().collect());
    }

    /// Whether an employee's managers are known, be it that there are none.
    #[must_use]
    pub fn knows(&self, employee: EmployeeId) -> bool {
        self.0.contains_key(&employee)
    }

    /// The managers of an employee over all time.
    pub fn managers_of(&self, employee: EmployeeId) -> impl Iterator<Item = EmployeeId> + '_ {
        self.0.get(&employee).into_iter().flatten().map(|&(_, manager)| manager)
    }

    /// A cycle that `employee` is part of on some day.
    ///
    /// A relation counts on its own days only: two people may manage each other at different times.
    #[must_use]
    pub fn cycle_through(&self, employee: EmployeeId) -> Option<Cycle> {
        let above = |node: EmployeeId, during: Option<Period>| {
            self.0.get(&node).into_iter().flatten().filter_map(move |&(period, manager)| {
                let days = during.map_or(Some(period), |during| period.intersect(during))?;
                Some((days, manager))
            })
        };
        let mut level: Vec<_> = above(employee, None).collect();
        // A line without a cycle has at most one step for each person.
        for _ in 0..=self.0.len() {
            if let Some(&(days, _)) = level.iter().find(|(_, manager)| *manager == employee) {
                return Some(Cycle { employee, on: days.from() });
            }
            if level.is_empty() {
                break;
            }
            level = level.iter().flat_map(|&(days, manager)| above(manager, Some(days))).collect();
        }
        None
    }

    /// Any cycle at all.
    #[must_use]
    pub fn cycle(&self) -> Option<Cycle> {
        let mut rest: Vec<EmployeeId> = self.suspects();
        rest.sort_unstable();
        rest.into_iter().find_map(|employee| self.cycle_through(employee))
    }

    /// Those who are above themselves when dates are ignored; usually nobody.
    fn suspects(&self) -> Vec<EmployeeId> {
        let mut managers: HashMap<EmployeeId, usize> = HashMap::with_capacity(self.0.len());
        let mut reports: HashMap<EmployeeId, Vec<EmployeeId>> = HashMap::new();
        for (&employee, above) in &self.0 {
            *managers.entry(employee).or_default() += above.len();
            for &(_, manager) in above {
                managers.entry(manager).or_default();
                reports.entry(manager).or_default().push(employee);
            }
        }
        // Take away, from the top, whoever has nobody left above.
        let mut top: Vec<EmployeeId> =
            managers.iter().filter(|(_, count)| **count == 0).map(|(&id, _)| id).collect();
        while let Some(gone) = top.pop() {
            managers.remove(&gone);
            for report in reports.get(&gone).into_iter().flatten() {
                if let Some(count) = managers.get_mut(report) {
                    *count = count.saturating_sub(1);
                    if *count == 0 {
                        top.push(*report);
                    }
                }
            }
        }
        managers.into_keys().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use uuid::Uuid;

    fn id(n: u128) -> EmployeeId {
        EmployeeId::from_uuid(Uuid::from_u128(n))
    }

    fn year(from: i16, to: i16) -> Period {
        Period::new(date(from, 1, 1), Some(date(to, 1, 1))).unwrap()
    }

    #[test]
    fn managing_each_other_at_different_times_is_no_cycle() {
        let mut line = ReportingLine::default();
        line.add(id(1), year(2000, 2001), id(2));
        line.add(id(2), year(2001, 2002), id(1));
        assert_eq!(line.cycle(), None);
        assert_eq!(line.cycle_through(id(1)), None);
    }

    #[test]
    fn p24_a_cycle_on_some_days_only_is_found_with_its_first_day() {
        let mut line = ReportingLine::default();
        line.add(id(1), year(2000, 2005), id(2));
        line.add(id(2), year(1990, 2010), id(3));
        line.add(id(3), year(2004, 2020), id(1));
        for n in 1..=3 {
            assert_eq!(line.cycle_through(id(n)), Some(Cycle { employee: id(n), on: date(2004, 1, 1) }));
        }
        assert_eq!(line.cycle().map(|cycle| cycle.on), Some(date(2004, 1, 1)));
    }

    #[test]
    fn a_search_from_below_a_cycle_ends() {
        let mut line = ReportingLine::default();
        line.add(id(1), year(2000, 2005), id(2));
        line.add(id(2), year(2000, 2005), id(3));
        line.add(id(3), year(2000, 2005), id(2));
        assert_eq!(line.cycle_through(id(1)), None);
        assert!(line.cycle().is_some());
    }

    #[test]
    fn a_long_line_has_no_cycle() {
        let mut line = ReportingLine::default();
        for n in 0..20_000 {
            line.add(id(n), Period::since(date(2000, 1, 1)), id(n + 1));
        }
        assert_eq!(line.cycle(), None);
    }
}
