//! The part of the configuration that is about events that leave.

use std::path::PathBuf;

use super::read::Reader;
use super::{Fault, parse_bool};

/// What webhooks may reach, and how long events are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// `event_retention_days`: for how many days events stay in the log, 30 to 3650. Default: for ever.
    pub retention_days: Option<u16>,
    /// `webhook_allow_http`: whether webhooks may have `http` addresses. Default false.
    pub allow_http: bool,
    /// `webhook_allow_private_networks`: whether webhooks may reach addresses outside the public Internet, this
    /// machine among them. Default false.
    pub allow_private_networks: bool,
    /// `webhook_ports`: the ports that webhooks may reach. Default: any.
    pub ports: Vec<u16>,
    /// `webhook_ca_file`: certificates (PEM) that webhooks trust besides those of the system. Default: none.
    pub ca_file: Option<PathBuf>,
}

pub(super) fn read(reader: &mut Reader) -> Events {
    Events {
        retention_days: reader.value("event_retention_days", parse_days),
        allow_http: reader.value("webhook_allow_http", parse_bool).unwrap_or(false),
        allow_private_networks: reader.value("webhook_allow_private_networks", parse_bool).unwrap_or(false),
        ports: reader.list("webhook_ports", parse_port).unwrap_or_default(),
        ca_file: reader.path("webhook_ca_file"),
    }
}

fn parse_days(text: &str) -> Result<u16, Fault> {
    match text.parse() {
        Ok(days) if (30..=3650).contains(&days) => Ok(days),
        _ => Err((
            format!("'{text}' is not a number from 30 to 3650"),
            "write for how many days events are kept, or remove the key to keep them for ever",
        )),
    }
}

fn parse_port(text: &str) -> Result<u16, Fault> {
    match text.parse() {
        Ok(port @ 1..) => Ok(port),
        _ => Err((format!("'{text}' is not a port"), "write numbers from 1 to 65535")),
    }
}
