//! The one test binary of the workspace's cross-crate suites.

mod all {
    mod catalogue;
    mod contract;
    mod isolation;
    mod jobs;
    mod model;
    mod support;
}
