#![doc = include_str!("../README.md")]

pub mod check;
pub mod cli;
pub mod command;
pub mod config;
pub mod keys;
pub mod mail;
pub mod start;
pub mod worker;
