//! Runs every example and checks what it tells.

#![expect(clippy::unwrap_used, reason = "a test: what does not work fails it")]

use std::process::Command;

/// The lines that a program prints, once it has ended well.
#[track_caller]
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}{complaints}");
    told
}

#[test]
fn embed_core() {
    let told = run(env!("CARGO_BIN_EXE_embed_core"), &[]);
    assert_eq!(
        told,
        "hired Mira Patil as E-00001 and Arun Rao as E-00002\n\
         2024-02-29: Arun is in no department: not employed\n\
         2025-06-30: Arun is in Engineering\n\
         2025-07-01: Arun is in Support\n\
         record from 2024-03-01 until 2025-07-01: reports to Mira Patil\n\
         record from 2025-07-01 until further notice: reports to Mira Patil\n"
    );
}

#[test]
fn leave_flow() {
    let told = run(env!("CARGO_BIN_EXE_leave_flow"), &[]);
    assert_eq!(
        told,
        "Arun asks for 2026-06-11 to 2026-06-16: 4 days\n  \
         balance: 20 granted, 0 taken, 4 pending, 16 available\n\
         Mira approves: approved\n  \
         balance: 20 granted, 4 taken, 0 pending, 16 available\n\
         Mira tries to approve her own: nobody decides on their own leave, nor does a user who counts as them (leave.self-approval)\n"
    );
}

#[test]
fn leave_engine() {
    let told = run(env!("CARGO_BIN_EXE_leave_engine"), &[]);
    assert_eq!(
        told,
        "2026-08-14: 480 minutes, working_day\n\
         2026-08-15: 0 minutes, weekly_off\n\
         2026-08-16: 0 minutes, weekly_off\n\
         2026-08-17: 0 minutes, holiday\n\
         2026-08-18: 480 minutes, working_day\n\
         2026-08-19: 240 minutes, working_day\n\
         together 1200 minutes\n\
         On 2026-12-31, 11.775 days are available: 14.275 granted, less 2.5 asked for.\n\
         approving writes 5 postings\n\
         On 2026-08-31, 5.775 days are available: 8.275 granted, less 2.5 taken.\n\
         On 2026-12-31, 11.775 days are available: 14.275 granted, less 2.5 taken.\n\
         On 2027-01-01, 5 days are available: 14.275 granted, less 2.5 taken, less 6.775 lapsed.\n\
         On 2027-04-01, 4.5 days are available: 18.775 granted, less 2.5 taken, less 11.775 lapsed.\n\
         0.775 days by the leave policy, which can be used from 2026-03-31 until the day before 2027-01-01. Level 1 credits 720 minutes monthly for 2026-03-01 to 2026-04-01 (exclusive); 16 of 31 days were served, which earns 16/31 of it; that is 371.6129 minutes, rounded 372.\n"
    );
}

#[test]
fn custom_policy() {
    let told = run(env!("CARGO_BIN_EXE_custom_policy"), &[]);
    assert_eq!(
        told,
        "the administrator sees Arun and Mira\n\
         HR of Engineering sees Mira\n\
         HR of Engineering asks for Arun: no such employee (common.not-found)\n"
    );
}

#[test]
fn custom_job() {
    let told = run(env!("CARGO_BIN_EXE_custom_job"), &[]);
    assert_eq!(
        told,
        "dropped change: 0 runs\n\
         committed change:\n  \
         attempt 1: the printer is out of paper\n  \
         the job is queued; result: none yet\n  \
         attempt 2: printed \"Dublin office\"\n  \
         the job is succeeded; result: {\"pages\":1}\n"
    );
}

#[test]
fn whole_server() {
    let told = run(env!("CARGO_BIN_EXE_whole_server"), &["0", "--once"]);
    assert!(told.contains("organisation acme"), "{told}");
    assert!(told.ends_with("log-in: HTTP/1.1 200 OK\n"), "{told}");
}

#[test]
fn custom_subscriber() {
    let told = run(env!("CARGO_BIN_EXE_custom_subscriber"), &[]);
    assert_eq!(
        told,
        "two offices:\n  \
         event 1: location.created\n  \
         event 2: location.created\n  \
         one plant ordered\n  \
         one plant ordered\n\
         nothing new: 0 runs\n"
    );
}
