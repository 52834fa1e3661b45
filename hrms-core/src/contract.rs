//! Promises that every store must keep, as public test functions.
