//! Fresh databases for tests.

pub(crate) use hrms_tests::{Fresh, postgres, sqlite_file, sqlite_memory};
