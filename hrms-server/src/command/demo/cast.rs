//! Who works at the example organisation: four levels in two zones.

/// A location: code, name, time zone.
pub(super) const LOCATIONS: [(&str, &str, &str); 2] =
    [("PUN", "Pune", "Asia/Kolkata"), ("BER", "Berlin", "Europe/Berlin")];

/// A department: code, name, code of the one above.
pub(super) const DEPARTMENTS: [(&str, &str, Option<&str>); 7] = [
    ("HQ", "Head office", None),
    ("ENG", "Engineering", Some("HQ")),
    ("PLAT", "Platform", Some("ENG")),
    ("APPS", "Applications", Some("ENG")),
    ("SALES", "Sales", Some("HQ")),
    ("HR", "People", Some("HQ")),
    ("FIN", "Finance", Some("HQ")),
];

/// A designation: code, name.
pub(super) const DESIGNATIONS: [(&str, &str); 10] = [
    ("CEO", "Chief executive"),
    ("HEAD", "Head of department"),
    ("LEAD", "Team lead"),
    ("SENG", "Senior engineer"),
    ("ENG", "Engineer"),
    ("SREP", "Sales representative"),
    ("HRGEN", "HR generalist"),
    ("ACC", "Accountant"),
    ("SUP", "Support specialist"),
    ("WORK", "Working student"),
];

/// A position: department, designation, location, and the index of the manager's position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    pub(super) department: &'static str,
    pub(super) designation: &'static str,
    pub(super) location: &'static str,
    pub(super) manager: Option<usize>,
}

const GIVEN: [&str; 30] = [
    "Asha", "Ravi", "Meera", "Jonas", "Lena", "Vikram", "Sofia", "Arjun", "Nina", "Kabir", "Clara", "Dev",
    "Emil", "Farah", "Greta", "Hari", "Ida", "Jaya", "Karl", "Lakshmi", "Max", "Neha", "Oskar", "Priya",
    "Rahul", "Sanjay", "Tara", "Ulrike", "Veda", "Zoya",
];
const FAMILY: [&str; 31] = [
    "Kulkarni", "Weber", "Sharma", "Fischer", "Iyer", "Schulz", "Patel", "Becker", "Rao", "Hoffmann", "Das",
    "Krüger", "Menon", "Vogel", "Nair", "Lang", "Bose", "Peters", "Gupta", "Roth", "Joshi", "Braun",
    "Kapoor", "Seidel", "Reddy", "Kühn", "Sethi", "Arnold", "Mehta", "Franke", "Dutta",
];

/// The name of the person in position `index`: no two alike, since 30 and 31 share no factor.
pub(super) fn name(index: usize) -> (&'static str, &'static str) {
    let given = GIVEN.get(index % GIVEN.len()).copied().unwrap_or("Asha");
    let family = FAMILY.get(index * 7 % FAMILY.len()).copied().unwrap_or("Rao");
    (given, family)
}

/// Every position: the chief executive, six heads, nine team leads, and their teams.
pub(super) fn positions() -> Vec<Position> {
    let mut all = vec![Position { department: "HQ", designation: "CEO", location: "PUN", manager: None }];
    let mut add = |department, designation, location, manager| {
        all.push(Position { department, designation, location, manager: Some(manager) });
        all.len() - 1
    };
    let engineering = add("ENG", "HEAD", "PUN", 0);
    let sales = add("SALES", "HEAD", "BER", 0);
    let people = add("HR", "HEAD", "PUN", 0);
    let finance = add("FIN", "HEAD", "BER", 0);
    let team =
        |lead: usize, department: &'static str, sort: &[&'static str], location: &'static str| -> Vec<_> {
            sort.iter().map(move |designation| (department, *designation, location, lead)).collect()
        };
    let mut teams = Vec::new();
    for (department, location, head, members) in [
        ("PLAT", "PUN", engineering, &["SENG", "SENG", "ENG", "ENG", "ENG", "WORK"][..]),
        ("PLAT", "BER", engineering, &["SENG", "ENG", "ENG", "ENG", "WORK"][..]),
        ("APPS", "PUN", engineering, &["SENG", "SENG", "ENG", "ENG", "ENG", "ENG"][..]),
        ("APPS", "BER", engineering, &["SENG", "ENG", "ENG", "ENG"][..]),
        ("SALES", "BER", sales, &["SREP", "SREP", "SREP", "SREP", "SREP"][..]),
        ("SALES", "PUN", sales, &["SREP", "SREP", "SREP", "SUP", "SUP"][..]),
        ("HR", "PUN", people, &["HRGEN", "HRGEN", "HRGEN"][..]),
        ("FIN", "BER", finance, &["ACC", "ACC", "ACC"][..]),
        ("FIN", "PUN", finance, &["ACC", "ACC", "SUP"][..]),
    ] {
        let lead = add(department, "LEAD", location, head);
        teams.push(team(lead, department, members, location));
    }
    for (department, designation, location, lead) in teams.into_iter().flatten() {
        add(department, designation, location, lead);
    }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn about_sixty_people_in_four_levels_with_names_of_their_own() {
        let all = positions();
        assert!((50..=65).contains(&all.len()), "{}", all.len());
        let names: BTreeSet<_> = (0..all.len()).map(name).collect();
        assert_eq!(names.len(), all.len());
        let level = |mut at: usize| {
            let mut level = 1;
            while let Some(manager) = all[at].manager {
                assert!(manager < at, "managers come first");
                at = manager;
                level += 1;
            }
            level
        };
        assert_eq!((0..all.len()).map(level).max(), Some(4));
        let departments: BTreeSet<_> = DEPARTMENTS.iter().map(|department| department.0).collect();
        assert!(all.iter().all(|position| departments.contains(position.department)));
    }
}
