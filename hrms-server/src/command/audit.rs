//! `hrms-server audit verify`: whether audit logs are as they were written.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use hrms_core::audit::{Anchor, Verification, unhex, verify_export};
use hrms_core::organization::{OrganizationFilter, OrganizationSort};
use hrms_core::page::MAX_LIMIT;
use hrms_core::{Hrms, Operator, PageRequest, RequestId, TenantId};

use crate::cli::Failure;
use crate::config::Config;
use crate::{keys, start};

/// What can be done with audit logs.
#[derive(Debug, clap::Subcommand)]
pub enum Audit {
    /// Find any edit, deletion, insertion, re-ordering or cut in audit logs; fails if there is one.
    Verify(Options),
}

/// Which logs to check, and against what.
#[derive(Debug, clap::Args)]
#[group(required = true, args = ["organization", "all", "platform", "file"])]
pub struct Options {
    /// The log of the organisation with this short name.
    #[arg(long, value_name = "SLUG")]
    organization: Option<String>,
    /// Every organisation's log, and the platform's.
    #[arg(long)]
    all: bool,
    /// The platform's own log.
    #[arg(long)]
    platform: bool,
    /// An exported log: lines of JSON, as `GET /api/v1/exports/audit-log` gives them. No database is needed, and no
    /// key but those that `--anchors` are trusted by.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// A file with anchors that were kept elsewhere: lines of JSON, as in the server's log lines "audit anchor".
    /// Without it, a log that was written anew as a whole isn't found out, nor is one whose end was cut off
    /// together with its anchors.
    #[arg(long, value_name = "FILE")]
    anchors: Option<PathBuf>,
    /// Trust anchors signed with this former key too: its public half in hexadecimal digits.
    #[arg(long = "trust-key", value_name = "KEY")]
    trust_keys: Vec<String>,
}

/// Runs it.
///
/// # Errors
/// When a log isn't as it was written, or can't be read.
#[expect(clippy::print_stdout, reason = "the answer of a command")]
pub async fn run(config: &Config, command: Audit) -> Result<(), Failure> {
    let Audit::Verify(options) = command;
    let not_hex = || Failure::new("--trust-key wants hexadecimal digits");
    let former = options.trust_keys.iter().map(|key| unhex(key).ok_or_else(not_hex));
    let former = former.collect::<Result<Vec<_>, _>>()?;
    let anchors = match &options.anchors {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
            let anchors = read_anchors(&text);
            if anchors.is_empty() {
                return Err(Failure::new(format!("{} has no anchors", path.display())));
            }
            anchors
        }
        None => Vec::new(),
    };
    if let Some(path) = &options.file {
        return verify_file(path, &anchors, &former);
    }
    let (hrms, store) = start::hrms_trusting(config, former).await?;
    let mut broken = 0;
    for (name, tenant) in logs(&hrms, &options).await? {
        let found = hrms.audit().verify(tenant, &anchors).await.map_err(Failure::domain)?;
        println!("{}", line(&name, &found));
        broken += usize::from(!found.intact);
    }
    store.close().await;
    match broken {
        0 => Ok(()),
        1 => Err(Failure::new("1 audit log isn't as it was written")),
        broken => Err(Failure::new(format!("{broken} audit logs aren't as they were written"))),
    }
}

/// Checks an exported log.
#[expect(clippy::print_stdout, reason = "the answer of a command")]
fn verify_file(path: &Path, anchors: &[Anchor], keys: &[Vec<u8>]) -> Result<(), Failure> {
    if let Some(anchor) = anchors.iter().find(|anchor| !keys::has_signed(keys, anchor)) {
        let message = format!("the anchor of entry {} isn't signed by a --trust-key", anchor.sequence);
        return Err(Failure::new(message));
    }
    let unreadable = |error| Failure::new(format!("{}: {error}", path.display()));
    let file = BufReader::new(File::open(path).map_err(unreadable)?);
    let found = verify_export(file, anchors).map_err(unreadable)?;
    println!("{}", line(&path.display().to_string(), &found));
    if found.intact { Ok(()) } else { Err(Failure::new("1 audit log isn't as it was written")) }
}

fn line(name: &str, found: &Verification) -> String {
    let last = &found.sequence;
    let anchored = found.last_anchor.as_ref().map_or(0, |anchor| anchor.sequence);
    match (found.faulty_sequence, &found.fault) {
        (Some(sequence), Some(fault)) => format!("{name}: BROKEN at entry {sequence}: {fault}"),
        _ => format!("{name}: intact, {last} entries, anchored up to {anchored}, last hash {}", found.hash),
    }
}

/// The logs to check, by name.
async fn logs(hrms: &Hrms, options: &Options) -> Result<Vec<(String, Option<TenantId>)>, Failure> {
    let mut logs = Vec::new();
    if options.platform || options.all {
        logs.push(("the platform".to_owned(), None));
    }
    let by = Operator::command(RequestId::from_uuid(hrms.ids().next()));
    let filter = OrganizationFilter { slug: options.organization.clone(), ..OrganizationFilter::default() };
    if options.platform {
        return Ok(logs);
    }
    let mut page =
        PageRequest { sort: OrganizationSort::Slug, descending: false, limit: MAX_LIMIT, after: None };
    loop {
        let found = hrms.organizations().list(&by, &filter, &page).await.map_err(Failure::domain)?;
        logs.extend(found.items.into_iter().map(|one| (one.slug, Some(one.id))));
        page.after = found.next;
        if page.after.is_none() {
            break;
        }
    }
    match &options.organization {
        Some(slug) if logs.is_empty() => Err(Failure::new(format!("there is no organisation {slug}"))),
        _ => Ok(logs),
    }
}

/// The anchors in lines of JSON: bare ones, and those inside the server's own log lines.
fn read_anchors(text: &str) -> Vec<Anchor> {
    let anchor = |line: &str| {
        serde_json::from_str(line).ok().or_else(|| {
            let value: serde_json::Value = serde_json::from_str(line).ok()?;
            serde_json::from_str(value.get("fields")?.get("anchor")?.as_str()?).ok()
        })
    };
    text.lines().filter_map(anchor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_read_from_lines_of_logs_too() {
        let anchor = r#"{"tenant":null,"sequence":3,"hash":"0a","time":"2026-01-01T00:00:00Z","key":"0b","signature":"0c"}"#;
        let logged =
            serde_json::json!({ "level": "INFO", "fields": { "message": "audit anchor", "anchor": anchor } });
        let found = read_anchors(&format!("{anchor}\nsomething else\n{{}}\n{logged}\n"));
        assert_eq!(found.len(), 2);
        assert_eq!(found[0], found[1]);
        assert_eq!((found[0].sequence, found[0].hash.as_slice()), (3, &[10][..]));
    }
}
