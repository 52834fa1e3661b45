//! Webhooks to a real receiver: signed, in order, again until they are taken, and never where they must not go.

mod delivery;
mod http;
mod lanes;
mod network;
pub(super) mod receiver;
mod tls;
