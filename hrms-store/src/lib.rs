#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod engine;
mod instant;
pub mod migrate;
mod postgres;
mod query;
#[cfg(feature = "redis")]
mod redis_breaker;
#[cfg(feature = "redis")]
mod redis_fanout;
#[cfg(feature = "redis")]
mod redis_limiter;
mod sql;
mod sqlite;
mod store;

pub use postgres::UnsafeRole;
#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub use redis_fanout::{RedisFanout, RedisHints};
#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub use redis_limiter::{RedisLimiter, RedisUrlError};
pub use store::{OpenError, SqlStore};
