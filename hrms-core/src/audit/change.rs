//! What a change did to the fields of a thing, without the values that nobody may read in a log.

use serde::Serialize;
use serde_json::{Map, Value, json};

/// Fields that say when and how often, which the entry itself tells.
const BOOKKEEPING: [&str; 4] = ["id", "created_at", "updated_at", "version"];

/// Longer texts are cut after so many characters.
const LONGEST: usize = 500;

/// Most bytes that one field's value takes in the log; a longer one is left out.
const MOST: usize = 8 * 1024;

/// A thing whose changes are put on record, field by field.
///
/// `Serialize` gives the fields: those of an object, by name.
pub trait Audited: Serialize {
    /// Fields whose values never get into the log: secrets, and what needs a permission of its own (birth date
    /// and gender, private contact, pay, bank, identity numbers, anything medical). That they
    /// changed does.
    const MASKED: &'static [&'static str] = &[];
}

/// What a change did to the fields of a thing: before and after.
///
/// Holds only what may be on record: masked fields are masked when it is made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Change {
    before: Option<Map<String, Value>>,
    after: Option<Map<String, Value>>,
}

impl Change {
    /// No field of anything changed; that it happened is on record all the same.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// A thing that wasn't there before. Fields without a value are left out.
    #[must_use]
    pub fn created<T: Audited>(after: &T) -> Self {
        Self { before: None, after: Some(kept::<T>(fields(after))) }
    }

    /// A thing that isn't there any more. Fields without a value are left out.
    #[must_use]
    pub fn removed<T: Audited>(before: &T) -> Self {
        Self { before: Some(kept::<T>(fields(before))), after: None }
    }

    /// The fields that differ.
    #[must_use]
    pub fn changed<T: Audited>(before: &T, after: &T) -> Self {
        let (mut old, mut new) = (fields(before), fields(after));
        let names: Vec<String> = old.keys().chain(new.keys()).cloned().collect();
        for name in names {
            if old.get(&name) == new.get(&name) {
                old.remove(&name);
                new.remove(&name);
            }
        }
        Self { before: Some(shown::<T>(old)), after: Some(shown::<T>(new)) }
    }

    /// The values before, by field; `None` when there was nothing before, or nothing changed.
    #[must_use]
    pub fn before(&self) -> Option<&Map<String, Value>> {
        self.before.as_ref()
    }

    /// The values after, by field; `None` when there is nothing any more, or nothing changed.
    #[must_use]
    pub fn after(&self) -> Option<&Map<String, Value>> {
        self.after.as_ref()
    }

    /// The names of the fields that changed, in order; `None` when the thing was created or removed, or
    /// no field changed.
    #[must_use]
    pub fn names(&self) -> Option<Vec<&str>> {
        let (before, after) = (self.before.as_ref()?, self.after.as_ref()?);
        let mut names: Vec<&str> = before.keys().chain(after.keys()).map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        Some(names)
    }
}

/// The fields of a thing as they are.
fn fields<T: Serialize>(thing: &T) -> Map<String, Value> {
    let mut fields = match serde_json::to_value(thing) {
        Ok(Value::Object(fields)) => fields,
        // No object has no fields: it is on record as a whole.
        Ok(value) => Map::from_iter([("value".to_owned(), value)]),
        Err(_) => Map::from_iter([("value".to_owned(), json!({ "unreadable": true }))]),
    };
    fields.retain(|name, _| !BOOKKEEPING.contains(&name.as_str()));
    fields
}

/// The fields that have a value, as they may be on record.
fn kept<T: Audited>(mut fields: Map<String, Value>) -> Map<String, Value> {
    fields.retain(|_, value| !is_empty(value));
    shown::<T>(fields)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// The fields as they may be on record.
fn shown<T: Audited>(mut fields: Map<String, Value>) -> Map<String, Value> {
    for (name, value) in &mut fields {
        if T::MASKED.contains(&name.as_str()) {
            // Also when there is no value: that there is one is part of the secret.
            *value = json!({ "masked": true });
        } else {
            cut(value);
            if value.to_string().len() > MOST {
                *value = json!({ "left_out": true });
            }
        }
    }
    fields
}

/// Cuts long texts, at any depth. (How deep is up to our own types.)
fn cut(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some((at, _)) = text.char_indices().nth(LONGEST) {
                text.truncate(at);
                text.push('…');
            }
        }
        Value::Array(items) => items.iter_mut().for_each(cut),
        Value::Object(fields) => fields.values_mut().for_each(cut),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Thing {
        id: u32,
        name: String,
        birth_date: Option<&'static str>,
        tags: Vec<&'static str>,
        version: u32,
    }

    impl Audited for Thing {
        const MASKED: &'static [&'static str] = &["birth_date"];
    }

    fn thing() -> Thing {
        Thing { id: 1, name: "A".into(), birth_date: Some("1980-02-03"), tags: Vec::new(), version: 1 }
    }

    #[test]
    fn only_what_differs_is_on_record() {
        let after = Thing { name: "B".into(), version: 2, ..thing() };
        let change = Change::changed(&thing(), &after);
        assert_eq!(change.names().unwrap(), ["name"]);
        assert_eq!(Value::Object(change.before.unwrap()), json!({ "name": "A" }));
        assert_eq!(Value::Object(change.after.unwrap()), json!({ "name": "B" }));
    }

    #[test]
    fn masked_values_leave_their_names_only() {
        let masked = json!({ "masked": true });
        let created = Change::created(&thing());
        assert_eq!(Value::Object(created.after.unwrap()), json!({ "name": "A", "birth_date": masked }));
        let cleared = Change::changed(&thing(), &Thing { birth_date: None, ..thing() });
        assert_eq!(Value::Object(cleared.before.unwrap()), json!({ "birth_date": masked }));
        assert_eq!(Value::Object(cleared.after.unwrap()), json!({ "birth_date": masked }));
        assert!(!format!("{:?}", Change::removed(&thing())).contains("1980"));
    }

    #[test]
    fn long_values_are_cut() {
        let long = Thing { name: "é".repeat(LONGEST + 1), ..thing() };
        let after = Change::created(&long).after.unwrap();
        assert_eq!(after["name"].as_str().unwrap().chars().count(), LONGEST + 1);
        assert!(after["name"].as_str().unwrap().ends_with('…'));
        let many = Thing { tags: vec!["0123456789"; MOST / 10], ..thing() };
        assert_eq!(Change::created(&many).after.unwrap()["tags"], json!({ "left_out": true }));
    }

    #[test]
    fn created_and_removed_things_have_no_changed_fields() {
        for change in [Change::none(), Change::created(&thing()), Change::removed(&thing())] {
            assert_eq!(change.names(), None);
        }
    }
}
