//! What protects the service as a whole: limits that nodes share, secrets that stay where they belong, pages
//! that a browser shows under their policy, sockets that don't hang on.

mod limits;
mod pages;
mod secrets;
mod sockets;
mod tls;
