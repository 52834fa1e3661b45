//! What of a configuration is unsafe in production.

use std::path::Path;

use url::Url;

use crate::config::{Config, Database, Secret};

/// Everything in `config` that is fine on a desk and not in production, one sentence each.
#[must_use]
pub fn configuration(config: &Config) -> Vec<String> {
    let mut findings = Vec::new();
    let mut find = |wrong: bool, finding: &str| {
        if wrong {
            findings.push(finding.to_owned());
        }
    };
    find(
        config.allow_unsafe_database_role,
        "allow_unsafe_database_role is on: nothing below the application keeps tenants apart; remove it and \
         connect with the application's role",
    );
    match &config.public_url {
        None => find(true, "public_url is not set; write the https:// address that clients use"),
        Some(url) => find(url.scheme() != "https", "public_url is not https: put TLS in front of the server"),
    }
    find(
        config.cors_origins.iter().any(|origin| !origin.starts_with("https://")),
        "cors_origins has an origin without https: its pages can be changed on the way",
    );
    if let (Database::Postgres(application), Some(owner)) = (&config.database, &config.migration_database_url)
    {
        find(
            user(application).is_some() && user(application) == user(owner),
            "database_url and migration_database_url use the same role, so the application owns the tables and \
             can drop their row-level security; give it a role of its own",
        );
    }
    for path in [&config.data_dir, &config.signing_key_file] {
        if open_to_others(path) {
            findings.push(format!("{} is open to other users: take their permissions away", path.display()));
        }
    }
    findings
}

fn user(url: &Secret) -> Option<String> {
    let url = Url::parse(url.expose()).ok()?;
    Some(url.username().to_owned()).filter(|user| !user.is_empty())
}

#[cfg(unix)]
fn open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o027 != 0)
}

#[cfg(not(unix))]
fn open_to_others(_path: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn findings(variables: &[(&str, &str)]) -> Vec<String> {
        let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        configuration(&Config::load_from(None, variables).unwrap().config)
    }

    const SAFE: [(&str, &str); 4] = [
        ("HRMS_PUBLIC_URL", "https://hr.example.com"),
        ("HRMS_DATABASE_URL", "postgres://app:secret@db/hrms"),
        ("HRMS_MIGRATION_DATABASE_URL", "postgres://owner:secret@db/hrms"),
        ("HRMS_DATA_DIR", "/nonexistent"),
    ];

    #[test]
    fn a_safe_configuration_has_no_findings() {
        assert_eq!(findings(&SAFE), Vec::<String>::new());
    }

    #[test]
    fn each_unsafe_setting_is_found() {
        for (name, value, expected) in [
            ("HRMS_ALLOW_UNSAFE_DATABASE_ROLE", "true", "keeps tenants apart"),
            ("HRMS_PUBLIC_URL", "http://hr.example.com", "not https"),
            ("HRMS_PUBLIC_URL", "", "not set"),
            ("HRMS_CORS_ORIGINS", "http://localhost:3000", "without https"),
            ("HRMS_DATABASE_URL", "postgres://owner@db/hrms", "same role"),
            #[cfg(unix)]
            ("HRMS_DATA_DIR", "/", "open to other users"),
        ] {
            let mut variables = SAFE.to_vec();
            variables.retain(|(known, _)| *known != name);
            variables.push((name, value));
            let found = findings(&variables);
            assert_eq!(found.len(), 1, "{name}={value}: {found:?}");
            assert!(found[0].contains(expected), "{found:?}");
        }
    }
}
