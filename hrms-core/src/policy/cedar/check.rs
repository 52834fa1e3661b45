//! Whether a policy makes sense, and where it doesn't.

use std::fmt;

use cedar_policy::{Policy, PolicyId as CedarId, PolicySet, ValidationMode, Validator};
use miette::Diagnostic;

use crate::id::PolicyId;
use crate::policy::cedar::{COMPILED, Source};

/// The longest policy, in bytes.
pub const MAX_TEXT: usize = 4 * 1024;

/// The deepest nesting: reading a policy goes as deep as it does.
const MAX_DEPTH: usize = 16;

/// What is wrong with a policy, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A stable name such as `syntax`.
    pub code: &'static str,
    /// One sentence for a person.
    pub detail: String,
    /// Line and column, both from 1, where the fault has a place.
    pub at: Option<(usize, usize)>,
}

impl Fault {
    pub(super) fn whole(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), at: None }
    }

    fn of(code: &'static str, text: &str, fault: &dyn Diagnostic) -> Self {
        let offset = fault.labels().and_then(|mut labels| labels.next()).map(|label| label.offset());
        let mut detail = fault.to_string();
        if let Some(help) = fault.help() {
            detail = format!("{detail} ({help})");
        }
        Self { code, detail, at: offset.map(|offset| position(text, offset)) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some((line, column)) => write!(f, "line {line}, column {column}: {}", self.detail),
            None => f.write_str(&self.detail),
        }
    }
}

fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// Whether a text is one static policy that the schema takes and that could ever apply.
///
/// # Errors
/// Every fault that was found.
pub fn check(text: &str) -> Result<(), Vec<Fault>> {
    let source = Source { id: PolicyId::from_uuid(uuid::Uuid::nil()), text };
    policy(source).map(|_| ())
}

pub(super) fn policy(source: Source<'_>) -> Result<Policy, Vec<Fault>> {
    let text = source.text;
    if text.len() > MAX_TEXT {
        return Err(vec![Fault::whole("too-long", format!("a policy may have at most {MAX_TEXT} bytes"))]);
    }
    if let Some(offset) = too_deep(text) {
        let detail = format!("this is nested more than {MAX_DEPTH} deep");
        return Err(vec![Fault { code: "too-deep", detail, at: Some(position(text, offset)) }]);
    }
    if let Some(offset) = too_complex(text) {
        let detail = format!(
            "a policy may have at most {MAX_OPERATORS} operators and ifs, {MAX_ACCESSES} dots, and \
             {MAX_WILDCARDS} wildcards: write several policies"
        );
        return Err(vec![Fault { code: "too-complex", detail, at: Some(position(text, offset)) }]);
    }
    let schema = COMPILED.as_ref().map_err(|error| vec![Fault::whole("schema", error)])?;
    let id = CedarId::new(source.id.to_string());
    let policy = Policy::parse(Some(id), text).map_err(|errors| {
        let all: Vec<Fault> = errors.iter().map(|error| Fault::of("syntax", text, error)).collect();
        if all.is_empty() { vec![Fault::whole("syntax", errors.to_string())] } else { all }
    })?;
    let set = PolicySet::from_policies([policy.clone()])
        .map_err(|error| vec![Fault::whole("malformed", error.to_string())])?;
    let result = Validator::new(schema.clone()).validate(&set, ValidationMode::Strict);
    let errors = result.validation_errors().map(|error| Fault::of("schema-mismatch", text, error));
    // Among them: policies that can never apply, and text that looks like something else.
    let warnings = result.validation_warnings().map(|warning| Fault::of("suspicious", text, warning));
    let faults: Vec<Fault> = errors.chain(warnings).collect();
    if faults.is_empty() { Ok(policy) } else { Err(faults) }
}

/// Chains of operators nest in the syntax tree as brackets do, and the stack they need is that of a thread that
/// serves everybody: far more than this overflows it, and somewhat more isn't evaluated any more.
const MAX_OPERATORS: usize = 24;
/// Attributes and methods in a text.
const MAX_ACCESSES: usize = 100;
/// Stars in strings: each multiplies what a comparison with `like` costs.
const MAX_WILDCARDS: usize = 8;

/// Where a text has more of something than may be.
fn too_complex(text: &str) -> Option<usize> {
    let (mut operators, mut accesses, mut wildcards) = (0, 0, 0);
    let (mut in_string, mut escaped) = (false, false);
    let mut before = b' ';
    for (offset, byte) in text.bytes().enumerate() {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (true, b'"') => in_string = false,
            (true, b'*') => wildcards += 1,
            (false, b'"') => in_string = true,
            (false, b'|' | b'&') if before == byte => operators += 1,
            (false, b'+' | b'-' | b'*' | b'!') => operators += 1,
            (false, b'f') if before == b'i' => operators += 1,
            (false, b'.' | b'[') => accesses += 1,
            _ => {}
        }
        before = byte;
        if operators > MAX_OPERATORS || accesses > MAX_ACCESSES || wildcards > MAX_WILDCARDS {
            return Some(offset);
        }
    }
    None
}

/// Where a text is nested too deep; counts more than there is, as it knows neither strings nor comments.
fn too_deep(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut run = 0_usize;
    for (offset, byte) in text.bytes().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        // Signs in front of something nest too.
        run = match byte {
            b'!' | b'-' => run + 1,
            b' ' | b'\t' | b'\r' | b'\n' => run,
            _ => 0,
        };
        if depth + run > MAX_DEPTH {
            return Some(offset);
        }
    }
    None
}

#[cfg(test)]
mod complexity {
    use super::*;

    #[test]
    fn what_would_need_too_much_stack_or_time_is_refused() {
        let chain = |terms: usize| vec!["context.hour == 25"; terms].join(" || ");
        let policy = |condition: &str| {
            format!(
                "forbid (principal, action == Action::\"location.read\", resource) when {{ {condition} }};"
            )
        };
        assert_eq!(too_complex(&policy(&chain(MAX_OPERATORS))), None);
        for condition in [
            chain(180),
            format!("{} true", "if context.hour == 1 then true else ".repeat(450)),
            format!("context.hour == {}1", "1+".repeat(200)),
            format!("context.hour == {}1", "-".repeat(200)),
            format!("\"aaa\" like \"{}b\"", "*a".repeat(500)),
            format!("context{}", ".a".repeat(900)),
        ] {
            assert!(too_complex(&policy(&condition)).is_some(), "{condition:.40}");
        }
        let id = "principal.department == Department::\"0190a000-0000-7000-8000-000000000001\"";
        assert_eq!(too_complex(&policy(&vec![id; 20].join(" || "))), None);
    }
}
