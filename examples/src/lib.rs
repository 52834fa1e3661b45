#![doc = include_str!("../README.md")]

/// The root README, so that its code is compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
