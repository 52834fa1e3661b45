//! The matrix of roles and permissions as a file: whoever changes access shows it there.

use super::*;

/// Rows are permissions, columns roles; a cell names the widest scopes that are granted.
fn render() -> String {
    let cell = |role: &Role, permission: Permission| {
        let mut scopes: Vec<Scope> = role
            .grants()
            .into_iter()
            .filter(|grant| grant.permission == permission)
            .map(|grant| grant.scope)
            .collect();
        scopes.sort_unstable();
        scopes.dedup();
        let names: Vec<String> = scopes.iter().map(|scope| scope.code().to_owned()).collect();
        if names.is_empty() { "-".to_owned() } else { names.join("+") }
    };
    let line = |name: &str, cells: Vec<String>| {
        let cells: String = cells.iter().map(|cell| format!(" {cell:<13}")).collect();
        format!("{}\n", format!("{name:<30}{cells}").trim_end())
    };
    let mut text = line("permission", Role::ALL.iter().map(|role| role.code().to_owned()).collect());
    for &permission in Permission::ALL {
        text += &line(permission.code(), Role::ALL.iter().map(|role| cell(role, permission)).collect());
    }
    text
}

/// After a change that is meant: `HRMS_BLESS=1 cargo test -p hrms-core matrix`, and look at the difference.
#[test]
fn the_matrix_is_the_one_in_the_file() {
    if std::env::var_os("HRMS_BLESS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/policy/matrix.txt");
        std::fs::write(path, render()).unwrap();
        return;
    }
    assert_eq!(render(), include_str!("matrix.txt"), "access has changed: see the comment of this test");
}

#[test]
fn nobody_writes_policies_or_sees_pay_by_running_the_account() {
    let may = |role: Role, permission| role.grants().iter().any(|grant| grant.permission == permission);
    for role in [Role::Admin, Role::Hr, Role::Manager, Role::Auditor] {
        assert!(!may(role, Permission::PolicyManage), "{role:?}");
        assert!(!may(role, Permission::EmployeeReadCompensation), "{role:?}");
        assert!(!may(role, Permission::EmployeeManageBank), "{role:?}");
        assert!(!may(role, Permission::EmployeeReadMedical), "{role:?}");
    }
    assert_eq!(Role::Owner.grants().len(), Permission::ALL.len());
}

#[test]
fn an_auditor_changes_nothing() {
    for grant in Role::Auditor.grants() {
        let code = grant.permission.code();
        assert!(code.contains("read") || code == "export.run", "{code}");
    }
}
