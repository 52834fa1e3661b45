//! Notifications over HTTP, with a mail server on loopback, on every engine.

mod channels;
mod inbox;
mod mail;
mod texts;
mod world;
