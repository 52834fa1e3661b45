//! What some employees work on any day, read with three statements however many they are.

use std::collections::HashMap;

use jiff::civil::Date;

use super::assignment::at;
use super::{Assignment, WorkRule, WorkingTime};
use crate::error::StoreError;
use crate::id::{EmployeeId, LocationId, WorkPatternId};
use crate::store::Tx;

/// What some employees work on any day.
#[derive(Clone, Debug, Default)]
pub struct WorkTimes {
    rules: HashMap<WorkPatternId, WorkRule>,
    of_locations: HashMap<LocationId, Vec<Assignment>>,
    of_employees: HashMap<EmployeeId, Vec<Assignment>>,
    otherwise: WorkRule,
}

impl WorkTimes {
    /// Reads the patterns of these employees, and of the locations where they work at any time.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn load(
        tx: &mut dyn Tx,
        employees: &[EmployeeId],
        locations: &[LocationId],
    ) -> Result<Self, StoreError> {
        let of_employees = tx.work_patterns().of_employees(employees).await?;
        let of_locations = tx.work_patterns().of_locations(locations).await?;
        let all = of_employees.values().chain(of_locations.values()).flatten();
        let mut ids: Vec<WorkPatternId> = all.map(|one| one.work_pattern_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let rules = tx.work_patterns().rules(&ids).await?;
        Ok(Self { rules, of_locations, of_employees, otherwise: WorkRule::default() })
    }

    /// What an employee who is at `location` works on a day (P20): by their own pattern, or else the location's, or
    /// else from Monday to Friday.
    #[must_use]
    pub fn on(&self, employee: EmployeeId, location: Option<LocationId>, day: Date) -> WorkingTime {
        let own = self.of_employees.get(&employee).and_then(|own| at(own, day));
        let id = own.or_else(|| self.of_locations.get(&location?).and_then(|there| at(there, day)));
        id.and_then(|id| self.rules.get(&id)).unwrap_or(&self.otherwise).on(day)
    }
}
