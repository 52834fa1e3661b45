//! What the command line can do, one file a command.

pub mod admin;
pub mod audit;
pub mod demo;
pub mod import;
pub mod migrate;
pub mod organization;
pub mod serve;
pub mod worker;
