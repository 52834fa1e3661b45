//! The real program, as a shell sees it.

#![expect(clippy::unwrap_used, reason = "a test: what does not work fails it")]

use std::process::{Command, Output};

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> (Output, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hrms-server"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HRMS_")) {
        command.env_remove(name);
    }
    let output = command.args(arguments).envs(variables.iter().copied()).output().unwrap();
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    (output, String::from_utf8(text).unwrap())
}

#[test]
fn it_knows_its_version() {
    let (output, text) = run(&["--version"], &[]);
    assert!(output.status.success());
    assert_eq!(text, format!("hrms-server {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_wrong_configuration_ends_it_with_what_to_do() {
    let (output, text) = run(&["check"], &[("HRMS_BIND", "everywhere")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text.contains("HRMS_BIND: 'everywhere' is not an IP address with a port; write"), "{text}");
    let (output, text) = run(&["check", "--config", "/nonexistent.toml"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text.contains("/nonexistent.toml"), "{text}");
}

#[test]
fn check_fails_when_something_is_unsafe() {
    let data = ("HRMS_DATA_DIR", "/nonexistent");
    let (output, text) = run(&["check"], &[data]);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("unsafe: public_url is not set"), "{text}");
    let mail = [("HRMS_MAIL_URL", "smtps://mail.example.com"), ("HRMS_MAIL_FROM", "hr@example.com")];
    let (output, text) =
        run(&["check"], &[data, mail[0], mail[1], ("HRMS_PUBLIC_URL", "https://hr.example.com")]);
    assert!(output.status.success(), "{text}");
}
