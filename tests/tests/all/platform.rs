//! What operators of the service do: organisations, other operators, access inside an organisation.

mod http;
mod operators;
mod purge;
mod queues;
