#![doc = include_str!("../README.md")]

pub mod check;
pub mod cli;
pub mod config;
pub mod keys;
pub mod worker;
