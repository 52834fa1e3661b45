//! Several policies as one, so that a decision asks once what they all ask.
//!
//! Policies with the same effect about the same who and what become one whose condition is that one of theirs holds.
//! All of them are evaluated, as they were alone: one that can't be still forbids. What is lost is which of them
//! decided, so an explanation asks them one by one.

use cedar_policy::{Policy, PolicyId as CedarId, PolicySet};
use serde_json::{Value, json};

use crate::policy::cedar::question::Failure;

/// What policies say together, when all of them are about the action that is asked for.
pub(super) fn merged(policies: &PolicySet) -> Result<PolicySet, Failure> {
    let mut heads: Vec<(Value, Vec<Value>)> = Vec::new();
    for policy in policies.policies() {
        let policy = policy.to_json()?;
        let part = |name: &str| policy.get(name).cloned().ok_or("a policy without a head");
        let head = json!({
            "effect": part("effect")?,
            "principal": part("principal")?,
            "action": { "op": "All" },
            "resource": part("resource")?,
        });
        let condition = condition(&part("conditions")?)?;
        match heads.iter_mut().find(|(other, _)| *other == head) {
            Some((_, conditions)) => conditions.push(condition),
            None => heads.push((head, vec![condition])),
        }
    }
    let mut merged = PolicySet::new();
    for (at, (mut policy, conditions)) in heads.into_iter().enumerate() {
        // A set is built from all of its members, where an "or" would stop at the first that holds.
        let body = json!({ "contains": { "left": { "Set": conditions }, "right": { "Value": true } } });
        if let Some(fields) = policy.as_object_mut() {
            fields.insert("conditions".to_owned(), json!([{ "kind": "when", "body": body }]));
        }
        merged.add(Policy::from_json(Some(CedarId::new(at.to_string())), policy)?)?;
    }
    Ok(merged)
}

/// The clauses of a policy as one condition.
fn condition(clauses: &Value) -> Result<Value, Failure> {
    let clauses = clauses.as_array().ok_or("clauses that are no list")?;
    let mut all = None;
    for clause in clauses {
        let body = clause.get("body").cloned().ok_or("a clause without a condition")?;
        let holds = match clause.get("kind").and_then(Value::as_str) {
            Some("when") => body,
            Some("unless") => json!({ "!": { "arg": body } }),
            _ => return Err("a clause of an unknown kind".into()),
        };
        all = Some(match all {
            None => holds,
            Some(before) => json!({ "&&": { "left": before, "right": holds } }),
        });
    }
    Ok(all.unwrap_or_else(|| json!({ "Value": true })))
}
