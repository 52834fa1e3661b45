//! Row visibility as a condition of a statement.

use jiff::civil::Date;

use hrms_core::{TenantId, Visibility};

use crate::query::Query;

/// Appends the join with the employment record, as `e`, that is in force `today` for the employee of a row of `table`.
pub(crate) fn join_record(query: &mut Query, table: &'static str, today: Date) {
    query.push(" LEFT JOIN employment_record AS e ON e.tenant_id = ").push(table).push(".tenant_id");
    query.push(" AND e.employee_id = ").push(table).push(".employee_id AND e.valid_from <= ").bind(today);
    query.push(" AND (e.valid_to IS NULL OR e.valid_to > ").bind(today).push(")");
}

/// Appends the condition that a row is inside `seen`. `owner` is the column that says whose row it is,
/// `record` the alias of the owner's employment record in force `today`.
pub(crate) fn visible(
    query: &mut Query,
    tenant: TenantId,
    seen: &Visibility,
    today: Date,
    owner: &'static str,
    record: &'static str,
) {
    if seen.organization {
        return;
    }
    // FALSE needs no spelling that both engines share.
    query.push(" AND (1 = 0");
    if let Some(own) = seen.own {
        query.push(" OR ").push(owner).push(" = ").bind(own);
    }
    if let Some(manager) = seen.reports_of {
        // Nobody is their own report.
        query.push(" OR (").push(record).push(".manager_id = ").bind(manager);
        query.push(" AND ").push(owner).push(" <> ").bind(manager).push(")");
    }
    if let Some(manager) = seen.reports_tree_of {
        query.push(" OR (").push(owner).push(" IN (");
        query.push("WITH RECURSIVE below (id) AS (SELECT s.employee_id FROM employment_record AS s WHERE s.tenant_id = ");
        query.bind(tenant).push(" AND s.manager_id = ").bind(manager);
        query.push(" AND s.valid_from <= ").bind(today);
        query.push(" AND (s.valid_to IS NULL OR s.valid_to > ").bind(today);
        // UNION drops what was found before, so it ends even if the line had a cycle.
        query.push(
            ") UNION SELECT s.employee_id FROM employment_record AS s JOIN below ON s.manager_id = below.id",
        );
        query.push(" WHERE s.tenant_id = ").bind(tenant).push(" AND s.valid_from <= ").bind(today);
        query.push(" AND (s.valid_to IS NULL OR s.valid_to > ").bind(today);
        query.push(")) SELECT id FROM below) AND ").push(owner).push(" <> ").bind(manager).push(")");
    }
    if let Some(top) = seen.department_tree {
        query.push(" OR ").push(record).push(".department_id IN (");
        query.push("WITH RECURSIVE inside (id) AS (SELECT p.id FROM department AS p WHERE p.tenant_id = ");
        query.bind(tenant).push(" AND p.id = ").bind(top);
        query.push(" UNION SELECT p.id FROM department AS p JOIN inside ON p.parent_id = inside.id WHERE p.tenant_id = ");
        query.bind(tenant).push(") SELECT id FROM inside)");
    }
    if let Some(location) = seen.location {
        query.push(" OR ").push(record).push(".location_id = ").bind(location);
    }
    query.push(")");
}
