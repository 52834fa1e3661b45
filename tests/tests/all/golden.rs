//! What reviewers see change: the API's document, kept in the repository.

use std::path::Path;

/// Compares with a file of the repository, or writes it where `HRMS_BLESS=1`.
fn check(file: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    if std::env::var_os("HRMS_BLESS").is_some_and(|bless| bless == "1") {
        std::fs::write(&path, made).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    if kept == made {
        return;
    }
    let (before, after): (Vec<&str>, Vec<&str>) = (kept.lines().collect(), made.lines().collect());
    let same = before.iter().zip(&after).take_while(|(before, after)| before == after).count();
    let show = |lines: &[&str], sign: &str| {
        lines.iter().skip(same).take(8).map(|line| format!("{sign} {line}\n")).collect::<String>()
    };
    panic!(
        "{file} isn't what the code makes; they part at line {}:\n{}{}\
         If the change is meant, run `HRMS_BLESS=1 cargo test -p hrms-tests golden` and commit the file.",
        same + 1,
        show(&before, "-"),
        show(&after, "+"),
    );
}

#[test]
fn openapi_document() {
    let document = serde_json::to_string_pretty(&hrms_http::openapi().unwrap()).unwrap();
    check("hrms-http/openapi.json", &format!("{document}\n"));
}
