//! What policies mention.

use std::collections::HashSet;

use cedar_policy::Policy;
use serde_json::Value;

/// The attributes that policies could look at, by name: a question tells no others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mentions {
    /// Every attribute, where it can't be known which.
    all: bool,
    names: HashSet<String>,
}

impl Mentions {
    /// Every attribute there is.
    pub(super) fn all() -> Self {
        Self { all: true, names: HashSet::new() }
    }

    /// Whether an attribute could be looked at.
    pub(super) fn has(&self, name: &str) -> bool {
        self.all || self.names.contains(name)
    }

    /// What a policy could look at.
    pub(super) fn of(policy: &Policy) -> Self {
        let mut mentions = Self::default();
        match policy.to_json() {
            Ok(json) => mentions.walk(&json),
            Err(_) => mentions.all = true,
        }
        mentions
    }

    /// Adds what another policy could look at.
    pub(super) fn add(&mut self, other: &Self) {
        self.all |= other.all;
        self.names.extend(other.names.iter().cloned());
    }

    fn walk(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match (name.as_str(), attributes(value)) {
                        ("." | "has", Some((of, attributes))) => {
                            self.names.extend(attributes);
                            // The circumstances themselves are no more than what has them.
                            if !is_context(of) {
                                self.walk(of);
                            }
                        }
                        // As a whole they are compared by all that they are.
                        _ if is_variable(name, value, "context") => self.all = true,
                        ("." | "has", None) => self.all = true,
                        _ => self.walk(value),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.walk(item)),
            _ => {}
        }
    }
}

/// What has attributes, and which; several where one is asked of the other (`has manager.level`).
fn attributes(access: &Value) -> Option<(&Value, Vec<String>)> {
    let names = match access.get("attr")? {
        Value::String(name) => vec![name.clone()],
        Value::Array(path) => {
            path.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<_>>()?
        }
        _ => return None,
    };
    Some((access.get("left")?, names))
}

fn is_variable(name: &str, value: &Value, variable: &str) -> bool {
    name == "Var" && value.as_str() == Some(variable)
}

fn is_context(value: &Value) -> bool {
    value.get("Var").is_some_and(|name| name.as_str() == Some("context"))
}

/// Whether a policy's conditions mention `principal` or `resource`. Guesses yes where it can't be known.
pub(super) fn conditions_mention(policy: &Policy, variable: &str) -> bool {
    fn mentions(value: &Value, variable: &str) -> bool {
        match value {
            Value::Object(fields) => fields
                .iter()
                .any(|(name, value)| is_variable(name, value, variable) || mentions(value, variable)),
            Value::Array(items) => items.iter().any(|item| mentions(item, variable)),
            _ => false,
        }
    }
    let json = policy.to_json();
    json.map_or(true, |json| json.get("conditions").is_some_and(|all| mentions(all, variable)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(condition: &str) -> Mentions {
        let text = format!("forbid (principal, action, resource) when {{ {condition} }};");
        Mentions::of(&Policy::parse(None, text).unwrap())
    }

    fn names(names: &[&str]) -> Mentions {
        Mentions { all: false, names: names.iter().map(|&name| name.to_owned()).collect() }
    }

    #[test]
    fn an_attribute_is_known_wherever_it_stands() {
        assert_eq!(of("true"), names(&[]));
        assert_eq!(of("context.hour < 8 && principal.roles.contains(\"x\")"), names(&["hour", "roles"]));
        assert_eq!(of("resource.owner has level.x"), names(&["owner", "level", "x"]));
        assert_eq!(of("resource[\"owner\"].manager == principal"), names(&["owner", "manager"]));
        assert_eq!(
            of("(if context has address then resource else resource).days > 1"),
            names(&["address", "days"])
        );
        assert_eq!(of("[{ a: resource.days }].contains({ a: 3 })"), names(&["days"]));
    }

    #[test]
    fn who_compares_circumstances_as_a_whole_is_told_all() {
        assert!(of("context == { hour: 3 }").has("weekday"));
        assert!(of("(if principal == resource then context else context).hour == 3").has("weekday"));
    }
}
