use jiff::ToSpan;
use jiff::civil::date;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::id::{LeavePolicyAssignmentId, LeavePolicyVersionId};
use crate::store::Version;

const EMPLOYEE: EmployeeId = EmployeeId::from_uuid(Uuid::from_u128(1));
const TYPE: LeaveTypeId = LeaveTypeId::from_uuid(Uuid::from_u128(2));

fn policy(n: usize) -> LeavePolicyId {
    LeavePolicyId::from_uuid(Uuid::from_u128(n as u128))
}

fn version(n: usize, of: usize, effective_from: Date) -> LeavePolicyVersion {
    LeavePolicyVersion {
        id: LeavePolicyVersionId::from_uuid(Uuid::from_u128(n as u128)),
        policy_id: policy(of),
        effective_from,
        rules: PolicyRules::default(),
        recorded_at: Timestamp::from_second(i64::try_from(n).unwrap()).unwrap(),
        recorded_by: None,
    }
}

fn assignment(of: usize, valid_from: Date, valid_to: Option<Date>) -> LeavePolicyAssignment {
    LeavePolicyAssignment {
        id: LeavePolicyAssignmentId::from_uuid(Uuid::from_u128(1)),
        employee_id: EMPLOYEE,
        leave_type_id: TYPE,
        policy_id: policy(of),
        valid_from,
        valid_to,
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
        version: Version::FIRST,
    }
}

proptest! {
    /// P8: on each day the rules are those of the policy that is assigned on it, or else of the one for everyone, by the version that
    /// began last and was recorded last; no two terms share a day, and void assignments are none.
    #[test]
    fn p8_each_day_has_the_rules_in_force(
        versions in prop::collection::vec((0usize..3, 0i64..300), 0..10), has_everyone in any::<bool>(),
        assigned in prop::collection::vec((1usize..3, 0i64..60, 0i64..60), 0..5), open in any::<bool>(),
    ) {
        let first = date(2026, 1, 1);
        let versions: Vec<LeavePolicyVersion> = versions
            .into_iter()
            .enumerate()
            .map(|(n, (of, days))| version(n + 1, of, first + (days / 7 * 7).days()))
            .collect();
        let mut by_policy: HashMap<LeavePolicyId, Vec<LeavePolicyVersion>> = HashMap::new();
        for one in versions.iter().rev() {
            by_policy.entry(one.policy_id).or_default().push(one.clone());
        }
        // One after the other, with gaps or without; of no length: void.
        let (mut assignments, mut day) = (Vec::new(), first);
        let count = assigned.len();
        for (index, (of, gap, length)) in assigned.into_iter().enumerate() {
            let from = day + (gap / 20 * 20).days();
            day = from + length.days();
            let ends = !(open && index + 1 == count);
            assignments.push(assignment(of, from, ends.then_some(day)));
        }
        let policies = Policies {
            everyone: has_everyone.then(|| (TYPE, policy(0))).into_iter().collect(),
            versions: by_policy.into_iter().map(|(id, all)| (id, in_force(all))).collect(),
            assignments: HashMap::from([((EMPLOYEE, TYPE), assignments.clone())]),
        };
        let terms = policies.terms(EMPLOYEE, TYPE);
        for day in (first - 10.days()).series(1.day()).take(420) {
            let of = assignments.iter().find(|one| one.valid_from <= day && one.valid_to.is_none_or(|to| day < to));
            let of = of.map(|one| one.policy_id).or(has_everyone.then(|| policy(0)));
            let known = versions.iter().filter(|one| Some(one.policy_id) == of && one.effective_from <= day);
            let expected = known.max_by_key(|one| (one.effective_from, one.recorded_at)).map(|one| one.id);
            let found: Vec<LeavePolicyVersionId> =
                terms.iter().filter(|term| term.period.contains(day)).map(|term| term.version).collect();
            prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "on {}", day);
        }
    }
}
