//! What `docs/leave.md` says about which tests hold which promise is true.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Names of test functions in the sources below a folder.
fn tests_below(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let names = text.lines().filter_map(|line| {
                let line = line.trim_start();
                let name = line.strip_prefix("fn ").or_else(|| line.strip_prefix("async fn "))?;
                name.split(['(', '<']).next().map(str::to_owned)
            });
            found.extend(names);
        }
    }
}

#[test]
fn each_promise_is_held_by_the_tests_that_are_named() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut known = BTreeSet::new();
    for folder in ["hrms-core/src/leave", "tests/tests/all/leave"] {
        tests_below(&root.join(folder), &mut known);
    }
    let docs = fs::read_to_string(root.join("docs/leave.md")).unwrap();
    let mut named = BTreeSet::new();
    let mut promises = Vec::new();
    for row in docs.lines().filter_map(|line| line.strip_prefix("| P")) {
        let (promise, tests) = row.split_once(" | ").unwrap();
        promises.push(promise.split(' ').next().unwrap().parse::<u8>().unwrap());
        let tests: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "{row}");
        for test in tests {
            assert!(known.contains(test), "there is no test {test}");
            named.insert(test.to_owned());
        }
    }
    assert_eq!(promises, (1..=14).collect::<Vec<_>>());
    // A test that is named after a promise is told of.
    let of_promise = |name: &&String| {
        let number = name.strip_prefix('p').and_then(|rest| rest.split_once('_')).map(|(number, _)| number);
        number.is_some_and(|number| number.parse::<u8>().is_ok_and(|number| number <= 14))
    };
    let untold: Vec<_> = known.iter().filter(of_promise).filter(|name| !named.contains(*name)).collect();
    assert!(untold.is_empty(), "say in docs/leave.md what is held by {untold:?}");
}
