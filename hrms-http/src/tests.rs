//! The framework over real sockets, with a table of its own.

mod connections;
mod hardening;
mod lists;
mod locations;
mod requests;
mod support;
mod things;
mod uploads;
