//! Row visibility as a condition of a statement.

use hrms_core::Visibility;

use crate::query::Query;

/// Appends the condition that a row is inside `seen`. The columns say whose row it is, and who manages
/// them and where they work by the record in force today.
pub(crate) fn visible(
    query: &mut Query,
    seen: &Visibility,
    owner: &'static str,
    manager: &'static str,
    department: &'static str,
) {
    if seen.organization {
        return;
    }
    // FALSE needs no spelling that both engines share.
    query.push(" AND (1 = 0");
    if let Some(own) = seen.own {
        query.push(" OR ").push(owner).push(" = ").bind(own);
    }
    if let Some(reports_of) = seen.reports_of {
        query.push(" OR ").push(manager).push(" = ").bind(reports_of);
    }
    if let Some(within) = seen.department {
        query.push(" OR ").push(department).push(" = ").bind(within);
    }
    query.push(")");
}
