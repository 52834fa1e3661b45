use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn load(file: Option<&Path>, variables: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Config::load_from(file, variables)
}

fn config(variables: &[(&str, &str)]) -> Config {
    load(None, variables).unwrap().config
}

fn problems(variables: &[(&str, &str)]) -> Vec<String> {
    load(None, variables).unwrap_err().problems
}

fn toml(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    file
}

#[test]
fn nothing_set_gives_the_embedded_database_on_loopback() {
    let config = config(&[]);
    assert_eq!(config.bind.to_string(), "127.0.0.1:8080");
    assert_eq!(config.database, Database::Sqlite(PathBuf::from("hrms-data/hrms.db")));
    assert_eq!(config.signing_key_file, PathBuf::from("hrms-data/signing-key.pem"));
    assert!(!config.allow_unsafe_database_role);
    assert!(config.cors_origins.is_empty() && config.trusted_proxies.is_empty());
}

#[test]
fn the_files_follow_the_data_directory() {
    let config = config(&[("HRMS_DATA_DIR", "/srv/hrms")]);
    assert_eq!(config.database, Database::Sqlite(PathBuf::from("/srv/hrms/hrms.db")));
    assert_eq!(config.signing_key_file, PathBuf::from("/srv/hrms/signing-key.pem"));
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_defaults() {
    let file = toml("bind = '0.0.0.0:1'\nworkers = 3\nallow_unsafe_database_role = true\n");
    let config = load(Some(file.path()), &[("HRMS_BIND", "[::1]:2")]).unwrap().config;
    assert_eq!(config.bind.to_string(), "[::1]:2");
    assert_eq!(config.workers, 3);
    assert!(config.allow_unsafe_database_role);
}

#[test]
fn hrms_config_names_the_file_unless_the_command_line_does() {
    let (named, other) = (toml("workers = 3"), toml("workers = 4"));
    let variable = [("HRMS_CONFIG", named.path().to_str().unwrap())];
    assert_eq!(load(None, &variable).unwrap().config.workers, 3);
    assert_eq!(load(Some(other.path()), &variable).unwrap().config.workers, 4);
}

#[test]
fn lists_are_arrays_or_commas() {
    let file = toml("cors_origins = ['https://a.example', 'http://localhost:3000']");
    assert_eq!(load(Some(file.path()), &[]).unwrap().config.cors_origins.len(), 2);
    let config = config(&[("HRMS_TRUSTED_PROXIES", "10.1.2.3/8, ::1,")]);
    let networks: Vec<_> = config.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.0.0.0/8", "::1/128"]);
}

#[test]
fn every_wrong_value_is_named_with_its_origin_and_a_way_out() {
    let file = toml("bind = 'localhost'\nlog_format = 'xml'");
    let all = load(Some(file.path()), &[("HRMS_WORKERS", "many"), ("HRMS_PUBLIC_URL", "hr")]).unwrap_err();
    assert_eq!(all.problems.len(), 4, "{all}");
    let path = file.path().display();
    let text = all.to_string();
    assert!(text.contains(&format!("bind in {path}: 'localhost' is not an IP address with a port; write")));
    assert!(text.contains("HRMS_WORKERS: 'many' is not a number from 0 to 256; write how many"));
}

#[test]
fn each_wrong_value_is_refused() {
    for (name, value) in [
        ("HRMS_BIND", "127.0.0.1"),
        ("HRMS_DATABASE_URL", "mysql://u:hunter2@h/d"),
        ("HRMS_DATABASE_URL", "postgres://u:hunter2@h:port/d"),
        ("HRMS_DATABASE_URL", "postgres://u:hunter2@h"),
        ("HRMS_DATABASE_URL", "sqlite::memory:"),
        ("HRMS_DATABASE_URL", "sqlite:"),
        ("HRMS_REDIS_URL", "http://u:hunter2@h"),
        ("HRMS_REDIS_URL", "redys://u:hunter2@h"),
        ("HRMS_REDIS_NAMESPACE", "a b"),
        ("HRMS_ALLOWED_HOSTS", "https://example.com"),
        ("HRMS_ALLOWED_HOSTS", "user@example.com"),
        ("HRMS_RATE_LIMIT_ADDRESS", "600"),
        ("HRMS_RATE_LIMIT_USER", "0/60"),
        ("HRMS_RATE_LIMIT_ORGANIZATION", "600/0"),
        ("HRMS_MAX_CONNECTIONS_PER_ADDRESS", "0"),
        ("HRMS_PUBLIC_URL", "ftp://example.com"),
        ("HRMS_PUBLIC_URL", "https://example.com/?a=b"),
        ("HRMS_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("HRMS_CORS_ORIGINS", "*"),
        ("HRMS_CORS_ORIGINS", "https://example.com/path"),
        ("HRMS_WORKERS", "257"),
        ("HRMS_WORKERS", "-1"),
        ("HRMS_ALLOW_UNSAFE_DATABASE_ROLE", "yes"),
        ("HRMS_MAIL_URL", "mail.example.com"),
        ("HRMS_MAIL_URL", "imap://mail.example.com"),
        ("HRMS_MAIL_URL", "smtps://mail:hunter2@example.com"),
        ("HRMS_MAIL_URL", "smtp-plain://mail.example.com"),
        ("HRMS_MAIL_URL", "smtps://mail.example.com/?tls=off"),
        ("HRMS_MAIL_URL", "file:"),
        ("HRMS_MAIL_FROM", "HR"),
        ("HRMS_LOG_FORMAT", "JSON"),
        ("HRMS_LOG_LEVEL", "a=b=c"),
        ("HRMS_DATABASE_URL_FILE", "/nonexistent"),
    ] {
        let sender = ("HRMS_MAIL_FROM", "hr@example.com");
        let all = if name == "HRMS_MAIL_FROM" { vec![(name, value)] } else { vec![(name, value), sender] };
        let problems = problems(&all);
        assert_eq!(problems.len(), 1, "{name}={value}: {problems:?}");
        assert!(problems[0].starts_with(&format!("{name}: ")), "{problems:?}");
        assert!(!problems[0].contains("hunter2"), "{problems:?}");
    }
}

#[test]
fn hosts_follow_the_public_url_unless_they_are_set() {
    assert!(config(&[]).allowed_hosts.is_empty());
    let url = ("HRMS_PUBLIC_URL", "https://hr.example.com/app");
    assert_eq!(config(&[url]).allowed_hosts, ["hr.example.com"]);
    assert_eq!(
        config(&[url, ("HRMS_ALLOWED_HOSTS", "a.example, [::1]:80")]).allowed_hosts,
        ["a.example", "[::1]:80"]
    );
    assert!(config(&[url, ("HRMS_ALLOWED_HOSTS", "*")]).allowed_hosts.is_empty());
}

#[test]
fn rates_are_requests_per_seconds() {
    let set = config(&[("HRMS_RATE_LIMIT_USER", "600/60"), ("HRMS_RATE_LIMIT_ADDRESS", "off")]).rates;
    assert_eq!((set.user, set.address), (Some(Quota::new(600, 60)), None));
    assert_eq!(set.organization, Rates::default().organization);
}

#[test]
fn keys_and_variables_that_nobody_knows() {
    let file = toml("database_ulr = 'sqlite:x'\n[section]\na = 1");
    let all = load(Some(file.path()), &[]).unwrap_err().to_string();
    assert!(all.contains("there is no such key; was database_url meant?"), "{all}");
    assert!(all.contains("section in"), "{all}");
    let loaded = load(
        None,
        &[("HRMS_PORT", "tcp://10.0.0.1:80"), ("HRMS_DATABASE_ULR", "x"), ("HRMS_TEST_SEED", "1")],
    );
    let warnings = loaded.unwrap().warnings;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("was HRMS_DATABASE_URL meant?"), "{warnings:?}");
}

#[test]
fn a_file_that_is_missing_or_no_toml_is_an_error() {
    let missing = load(Some(Path::new("/nonexistent.toml")), &[]).unwrap_err().to_string();
    assert!(missing.contains("/nonexistent.toml: the configuration file can't be read"), "{missing}");
    let broken = toml("bind = ");
    assert!(load(Some(broken.path()), &[]).unwrap_err().to_string().contains("not valid TOML"));
}

#[test]
fn secrets_may_stand_in_files_and_are_never_shown() {
    let secret = toml("postgres://app:hunter2@db/hrms\n");
    let path = secret.path().to_str().unwrap();
    let config = config(&[("HRMS_DATABASE_URL_FILE", path), ("HRMS_REDIS_URL", "redis://:hunter2@r/")]);
    assert!(!format!("{config:?}").contains("hunter2"));
    let Database::Postgres(url) = config.database else { panic!("not PostgreSQL") };
    assert_eq!(url.expose(), "postgres://app:hunter2@db/hrms");

    let twice = [("HRMS_REDIS_URL", "redis://r/"), ("HRMS_REDIS_URL_FILE", path)];
    assert!(problems(&twice)[0].contains("given twice"));
    let empty = toml("\n");
    let empty = problems(&[("HRMS_DATABASE_URL_FILE", empty.path().to_str().unwrap())]);
    assert!(empty[0].contains("is empty"), "{empty:?}");
}

#[test]
fn a_secret_of_the_environment_replaces_the_one_of_the_file_in_either_form() {
    let secret = toml("redis://environment/");
    let path = secret.path().to_str().unwrap();
    let direct = toml("redis_url = 'redis://file/'");
    let config = load(Some(direct.path()), &[("HRMS_REDIS_URL_FILE", path)]).unwrap().config;
    assert_eq!(config.redis_url.unwrap().expose(), "redis://environment/");
    let named = toml("redis_url_file = '/nonexistent'");
    let config = load(Some(named.path()), &[("HRMS_REDIS_URL", "redis://environment/")]).unwrap().config;
    assert_eq!(config.redis_url.unwrap().expose(), "redis://environment/");
}

#[test]
fn migrations_as_owner_need_postgresql() {
    let owner = ("HRMS_MIGRATION_DATABASE_URL", "postgres://owner@db/hrms");
    assert!(problems(&[owner])[0].contains("SQLite"));
    config(&[owner, ("HRMS_DATABASE_URL", "postgres://app@db/hrms")]);
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    assert!(config(&[("HRMS_REDIS_URL", ""), ("HRMS_CONFIG", "")]).redis_url.is_none());
}

#[cfg(unix)]
#[test]
fn the_data_directory_is_closed_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("a/b");
    let config = config(&[("HRMS_DATA_DIR", path.to_str().unwrap())]);
    config.create_data_dir().unwrap();
    config.create_data_dir().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn mail_goes_to_a_server_or_into_a_directory() {
    for (url, expected) in [
        ("smtps://mail.example.com", Some(("mail.example.com", 465, MailTls::Implicit))),
        ("smtp://mail.example.com:2525/", Some(("mail.example.com", 2525, MailTls::StartTls))),
        ("smtp-plain://127.0.0.1:1025", Some(("127.0.0.1", 1025, MailTls::None))),
        ("smtp-plain://[::1]:1025", Some(("::1", 1025, MailTls::None))),
        ("smtp-plain://localhost", Some(("localhost", 25, MailTls::None))),
        ("file:./mail", None),
    ] {
        let mail = config(&[("HRMS_MAIL_URL", url), ("HRMS_MAIL_FROM", "HR <hr@example.com>")]).mail.unwrap();
        let expected = match expected {
            Some((host, port, tls)) => MailTransport::Smtp { host: host.to_owned(), port, tls },
            None => MailTransport::Directory("./mail".into()),
        };
        assert_eq!(mail.transport, expected);
        assert!(mail.credentials.is_none());
    }
    assert!(config(&[]).mail.is_none());
    let url = ("HRMS_MAIL_URL", "smtps://mail.example.com");
    assert!(problems(&[url])[0].contains("nobody is named as the sender"));
    let from = ("HRMS_MAIL_FROM", "hr@example.com");
    assert!(problems(&[url, from, ("HRMS_MAIL_USERNAME", "hr")])[0].contains("without the other"));
    let secret = toml("hunter2\n");
    let file = ("HRMS_MAIL_PASSWORD_FILE", secret.path().to_str().unwrap());
    let config = config(&[url, from, ("HRMS_MAIL_USERNAME", "hr"), file]);
    assert!(!format!("{config:?}").contains("hunter2"));
    assert_eq!(config.mail.unwrap().credentials.unwrap().1.expose(), "hunter2");
}
