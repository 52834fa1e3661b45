//! HRMS server.
fn main() {}
