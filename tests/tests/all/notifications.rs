//! Notifications over HTTP, with a mail server on loopback, on every engine.

mod channels;
mod inbox;
mod mail;
mod texts;
pub(in crate::all) mod world;
