//! Takes single values out of the layered sources and collects everything that is wrong.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::Fault;

const ENVIRONMENT: &str = "environment";

pub(super) struct Reader {
    figment: Figment,
    values: Dict,
    file: Option<PathBuf>,
    pub(super) problems: Vec<String>,
    pub(super) warnings: Vec<String>,
}

/// Known `HRMS_…` variables, under the keys of the file.
struct Environment(BTreeMap<String, String>);

impl Provider for Environment {
    fn metadata(&self) -> Metadata {
        Metadata::named(ENVIRONMENT)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let values = self.0.iter().map(|(key, text)| (key.clone(), Value::from(text.clone())));
        Ok(Profile::Default.collect(values.collect::<Dict>()))
    }
}

impl Reader {
    pub(super) fn new(
        keys: &[&str],
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        let mut reader = Self {
            figment: Figment::new(),
            values: Dict::new(),
            file: file.map(Path::to_owned),
            problems: Vec::new(),
            warnings: Vec::new(),
        };
        let environment = reader.sort_variables(keys, variables);
        if let Some(file) = reader.file.clone() {
            reader.merge_file(keys, &file);
        }
        reader.figment = std::mem::take(&mut reader.figment).merge(environment);
        match reader.figment.extract() {
            Ok(values) => reader.values = values,
            Err(error) => reader.problems.push(error.to_string()),
        }
        reader
    }

    /// Keeps the known variables, notes the others, and takes `HRMS_CONFIG` if no file was named.
    fn sort_variables(
        &mut self,
        keys: &[&str],
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Environment {
        let mut known = BTreeMap::new();
        for (name, value) in variables {
            let Some(key) = name.to_str().and_then(|name| name.strip_prefix("HRMS_")) else {
                continue;
            };
            if value.is_empty() || key.starts_with("TEST_") || key == "SHARED" {
                continue;
            }
            let lower = key.to_ascii_lowercase();
            if key == "CONFIG" {
                self.file.get_or_insert_with(|| PathBuf::from(value));
            } else if !keys.contains(&lower.as_str()) || key != key.to_ascii_uppercase() {
                self.warnings.push(format!(
                    "the environment variable HRMS_{key} is not known and has no effect{}",
                    similar(&lower, keys)
                        .map(|near| format!("; was HRMS_{} meant?", near.to_ascii_uppercase()))
                        .unwrap_or_default()
                ));
            } else if let Some(text) = value.to_str() {
                known.insert(lower, text.to_owned());
            } else {
                self.problems.push(format!("HRMS_{key}: the value is not UTF-8; write it as UTF-8 text"));
            }
        }
        self.warnings.sort();
        Environment(known)
    }

    fn merge_file(&mut self, keys: &[&str], file: &Path) {
        let shown = file.display();
        if let Err(error) = std::fs::read_to_string(file) {
            self.problems.push(format!(
                "{shown}: the configuration file can't be read ({error}); correct --config or HRMS_CONFIG"
            ));
            return;
        }
        let layer = Figment::from(Toml::file_exact(file));
        match layer.extract::<Dict>() {
            Ok(values) => {
                for key in values.keys().filter(|key| !keys.contains(&key.as_str())) {
                    let near = similar(key, keys);
                    self.problems.push(format!(
                        "{key} in {shown}: there is no such key; {}",
                        near.map_or("remove it".to_owned(), |near| format!("was {near} meant?"))
                    ));
                }
                self.figment = layer;
            }
            Err(error) => self.problems.push(format!("{shown}: not valid TOML: {error}; correct the file")),
        }
    }

    fn is_from_environment(&self, key: &str) -> bool {
        self.figment.find_metadata(key).is_some_and(|metadata| metadata.name == ENVIRONMENT)
    }

    /// Where the value of `key` came from, as a person would look for it.
    fn origin(&self, key: &str) -> String {
        match &self.file {
            Some(file) if !self.is_from_environment(key) => format!("{key} in {}", file.display()),
            _ => format!("HRMS_{}", key.to_ascii_uppercase()),
        }
    }

    /// Whether a key was given a value, good or not.
    pub(super) fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    pub(super) fn problem(&mut self, key: &str, what: &str, fix: &str) {
        let origin = self.origin(key);
        self.problems.push(format!("{origin}: {what}; {fix}"));
    }

    fn text(&mut self, key: &str) -> Option<String> {
        let text = match self.values.get(key)? {
            Value::String(_, text) => Some(text.clone()),
            Value::Bool(_, value) => Some(value.to_string()),
            Value::Num(_, number) => number
                .to_i128()
                .map(|number| number.to_string())
                .or_else(|| number.to_u128().map(|number| number.to_string())),
            _ => None,
        };
        if text.is_none() {
            self.problem(key, "the value has the wrong type", "write a single value in quotes");
        }
        text
    }

    fn parsed<T>(
        &mut self,
        key: &str,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Option<T> {
        parse(text).map_err(|(what, fix)| self.problem(key, &what, fix)).ok()
    }

    pub(super) fn value<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T, Fault>) -> Option<T> {
        let text = self.text(key)?;
        self.parsed(key, text.trim(), parse)
    }

    pub(super) fn path(&mut self, key: &str) -> Option<PathBuf> {
        let text = self.text(key)?;
        if text.is_empty() {
            self.problem(key, "the path is empty", "write a path or remove the key");
            return None;
        }
        Some(PathBuf::from(text))
    }

    /// A value given as `key`, or in the file that `key_file` names. The environment wins as a whole.
    pub(super) fn secret<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T, Fault>) -> Option<T> {
        let file_key = format!("{key}_file");
        let direct = self.values.contains_key(key);
        if !self.values.contains_key(&file_key) {
            return self.value(key, parse);
        }
        if direct {
            match (self.is_from_environment(key), self.is_from_environment(&file_key)) {
                (true, false) => return self.value(key, parse),
                (false, true) => {}
                _ => {
                    let fix = format!("remove {key} or {file_key}");
                    self.problem(&file_key, "the same secret is given twice", &fix);
                    return None;
                }
            }
        }
        let path = self.path(&file_key)?;
        match std::fs::read_to_string(&path) {
            Ok(text) if !text.trim().is_empty() => self.parsed(&file_key, text.trim(), parse),
            Ok(_) => {
                let what = format!("{} is empty", path.display());
                self.problem(&file_key, &what, "write the secret into it");
                None
            }
            Err(error) => {
                let what = format!("{} can't be read ({error})", path.display());
                self.problem(&file_key, &what, "correct the path or its permissions");
                None
            }
        }
    }

    /// A TOML array of texts, or one text with commas between.
    pub(super) fn list<T>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T, Fault>) -> Option<Vec<T>> {
        let texts: Vec<String> = match self.values.get(key)? {
            Value::Array(_, values) => match values.iter().map(Value::as_str).collect::<Option<Vec<_>>>() {
                Some(texts) => texts.into_iter().map(str::to_owned).collect(),
                None => {
                    self.problem(key, "the list holds something else than text", "write each in quotes");
                    return None;
                }
            },
            _ => self.text(key)?.split(',').map(str::to_owned).collect(),
        };
        let texts = texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
        Some(texts.filter_map(|text| self.parsed(key, text, &parse)).collect())
    }
}

/// The key that was probably meant.
fn similar<'a>(wrong: &str, keys: &[&'a str]) -> Option<&'a str> {
    keys.iter()
        .map(|key| (strsim::damerau_levenshtein(wrong, key), *key))
        .min()
        .filter(|(distance, key)| *distance <= 3 && *distance < key.len() / 2)
        .map(|(_, key)| key)
}
