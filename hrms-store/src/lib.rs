#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod engine;
mod instant;
pub mod migrate;
mod postgres;
mod query;
mod sql;
mod sqlite;
mod store;

pub use postgres::UnsafeRole;
pub use store::{OpenError, SqlStore};
