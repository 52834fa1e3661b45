//! The one test binary of the workspace's cross-crate suites.

mod all {
    mod contract;
    mod support;
}
