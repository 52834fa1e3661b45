use uuid::Uuid;

use super::*;

fn employee(number: u128) -> EmployeeId {
    EmployeeId::from_uuid(Uuid::from_u128(number))
}

fn department(number: u128) -> DepartmentId {
    DepartmentId::from_uuid(Uuid::from_u128(number))
}

#[test]
fn each_scope_reaches_its_own() {
    let location = LocationId::from_uuid(Uuid::from_u128(9));
    let facts = Facts {
        manager_id: Some(employee(2)),
        department_id: Some(department(5)),
        location_id: Some(location),
        ..Facts::default()
    };
    let mut thing = Resource::of(employee(1), facts);
    thing.managers_above = vec![employee(3), employee(4)];
    thing.departments_above = vec![department(6)];
    let none = Visibility::default();
    let seen = [
        (Visibility { own: Some(employee(1)), ..none }, true),
        (Visibility { own: Some(employee(2)), ..none }, false),
        (Visibility { reports_of: Some(employee(2)), ..none }, true),
        (Visibility { reports_of: Some(employee(3)), ..none }, false),
        (Visibility { reports_tree_of: Some(employee(2)), ..none }, true),
        (Visibility { reports_tree_of: Some(employee(4)), ..none }, true),
        (Visibility { reports_tree_of: Some(employee(1)), ..none }, false),
        (Visibility { department_tree: Some(department(5)), ..none }, true),
        (Visibility { department_tree: Some(department(6)), ..none }, true),
        (Visibility { department_tree: Some(department(7)), ..none }, false),
        (Visibility { location: Some(location), ..none }, true),
        (Visibility { location: Some(LocationId::from_uuid(Uuid::from_u128(8))), ..none }, false),
        (Visibility::ALL, true),
        (none, false),
    ];
    for (visibility, expected) in seen {
        assert_eq!(visibility.includes(&thing), expected, "{visibility:?}");
        assert!(!visibility.includes(&Resource::organization()) || visibility.organization, "{visibility:?}");
    }
}

#[test]
fn nobody_is_their_own_report() {
    let facts = Facts { manager_id: Some(employee(1)), ..Facts::default() };
    let mut own = Resource::of(employee(1), facts);
    own.managers_above = vec![employee(1)];
    for seen in [
        Visibility { reports_of: Some(employee(1)), ..Visibility::default() },
        Visibility { reports_tree_of: Some(employee(1)), ..Visibility::default() },
    ] {
        assert!(!seen.includes(&own));
    }
}

#[test]
fn a_wider_reach_covers_a_narrower_one() {
    for &wide in Scope::ALL {
        for &narrow in Scope::ALL {
            let expected = wide == narrow
                || wide == Scope::Organization
                || (wide, narrow) == (Scope::ReportsTree, Scope::Reports);
            assert_eq!(wide.covers(narrow), expected, "{wide:?} {narrow:?}");
        }
    }
}

#[test]
fn two_visibilities_show_what_either_shows() {
    let none = Visibility::default();
    let (one, two) =
        (EmployeeId::from_uuid(uuid::Uuid::from_u128(1)), EmployeeId::from_uuid(uuid::Uuid::from_u128(2)));
    let own = Visibility { own: Some(one), ..none };
    let reports = Visibility { reports_of: Some(one), ..none };
    assert_eq!(own.or(reports), Visibility { own: Some(one), reports_of: Some(one), ..none });
    assert_eq!(own.or(own), own);
    assert_eq!(own.or(none), own);
    assert!(own.or(Visibility::ALL).organization);
    // Two of a kind don't fit: then it is everybody, and each has to be asked about.
    assert!(own.or(Visibility { own: Some(two), ..none }).organization);
}
