//! The framework over real sockets, with a table of its own.

mod connections;
mod lists;
mod locations;
mod requests;
mod support;
mod things;
mod uploads;
