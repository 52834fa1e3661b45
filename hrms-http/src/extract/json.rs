//! JSON bodies, with faults that name the field.

use bytes::Bytes;
use hrms_core::FieldError;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_path_to_error::Segment;
use utoipa::ToSchema;

use super::{BodyUse, Extract};
use crate::openapi::Operation;
use crate::problem::Problem;
use crate::request::Input;

/// A JSON object in the body. `T` refuses unknown fields (`#[serde(deny_unknown_fields)]`).
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

/// A JSON merge patch (RFC 7396) in the body; plain `application/json` is taken the same way.
#[derive(Debug)]
pub(crate) struct MergePatch<T>(pub(crate) T);

macro_rules! json_extractors {
    ($($name:ident accepts $($content_type:literal),+;)+) => {$(
        impl<T: DeserializeOwned + ToSchema + Send> Extract for $name<T> {
            const BODY: BodyUse = BodyUse::Whole;

            fn extract(input: &mut Input) -> Result<Self, Problem> {
                require_type(input, &[$($content_type),+])?;
                decode(&std::mem::take(&mut input.body)).map($name)
            }

            fn describe(operation: &mut Operation<'_>) {
                let schema = operation.schema::<T>();
                operation.body(&[$($content_type),+], schema);
            }
        }
    )+};
}

json_extractors! {
    Json accepts "application/json";
    MergePatch accepts "application/merge-patch+json", "application/json";
}

/// Like [`Json`] for endpoints that need no input: without a body, the default.
#[derive(Debug)]
pub(crate) struct JsonOrNothing<T>(pub(crate) T);

impl<T: DeserializeOwned + Default + ToSchema + Send> Extract for JsonOrNothing<T> {
    const BODY: BodyUse = BodyUse::Whole;

    fn extract(input: &mut Input) -> Result<Self, Problem> {
        if input.body.trim_ascii().is_empty() {
            return Ok(Self(T::default()));
        }
        Json::extract(input).map(|Json(value)| Self(value))
    }

    fn describe(operation: &mut Operation<'_>) {
        Json::<T>::describe(operation);
        operation.body_is_optional();
    }
}

fn require_type(input: &Input, accepted: &[&str]) -> Result<(), Problem> {
    let given = content_type(input);
    if accepted.iter().any(|accepted| given.eq_ignore_ascii_case(accepted)) {
        return Ok(());
    }
    Err(unsupported(accepted))
}

/// The content type without its parameters; empty when there is none.
pub(super) fn content_type(input: &Input) -> &str {
    let value = input.parts.headers.get(CONTENT_TYPE);
    let value = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

pub(super) fn unsupported(accepted: &[&str]) -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "http.unsupported-media-type",
        format!("send a body of type {}", accepted.join(" or ")),
    )
}

/// Objects and arrays inside each other, at most.
const DEPTH: u32 = 32;

/// Refuses JSON that nests deeper than anything here does, before it is read.
fn refuse_depth(body: &[u8]) -> Result<(), Problem> {
    let (mut depth, mut in_text, mut escaped) = (0_u32, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                if depth > DEPTH {
                    let detail = format!("the JSON may nest at most {DEPTH} levels deep");
                    return Err(Problem::new(StatusCode::BAD_REQUEST, "http.json-too-deep", detail));
                }
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// Reads one JSON object and nothing after it.
fn decode<T: DeserializeOwned>(body: &Bytes) -> Result<T, Problem> {
    refuse_depth(body)?;
    if body.trim_ascii_start().first() == Some(&b'[') {
        // Derived structs would take an array as their fields in order.
        return Err(Problem::invalid(vec![FieldError::new(
            "",
            "wrong-type",
            "the body must be a JSON object",
        )]));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().clone();
        // What isn't JSON as a whole has no fields to be at fault, however far the reading got.
        match serde_json::from_slice::<serde::de::IgnoredAny>(body) {
            Ok(_) => refusal(error.into_inner(), &path),
            Err(malformed) => syntax(malformed),
        }
    })?;
    json.end().map_err(syntax)?;
    Ok(value)
}

/// What of well-formed JSON isn't what is asked for.
fn refusal(error: serde_json::Error, path: &serde_path_to_error::Path) -> Problem {
    let text = match error.classify() {
        Category::Data => error.to_string(),
        // How a second key is told where one says which it is.
        _ => "exactly one of the known keys is expected here".to_owned(),
    };
    // The position is of no use to somebody who builds JSON from objects.
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    Problem::invalid(vec![fault(text, path)])
}

fn syntax(error: serde_json::Error) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "http.malformed-json", format!("the body isn't JSON: {error}"))
}

/// Turns serde's message about the value at a path into a fault with a pointer and a code.
pub(super) fn fault(message: &str, path: &serde_path_to_error::Path) -> FieldError {
    let mut keys: Vec<String> = path.iter().filter_map(key).collect();
    let quoted = || message.split('`').nth(1).unwrap_or_default().to_owned();
    let (code, detail) = if message.starts_with("missing field") {
        keys.push(quoted());
        ("missing", "this is required".to_owned())
    } else if message.starts_with("unknown field") {
        // The path may or may not end with the field itself; the message always names it.
        let name = quoted();
        if keys.last() != Some(&name) {
            keys.push(name);
        }
        ("unknown-field", "there is no such field".to_owned())
    } else if message.starts_with("duplicate field") {
        let name = quoted();
        if keys.last() != Some(&name) {
            keys.push(name);
        }
        ("duplicate", "this comes twice".to_owned())
    } else if message.starts_with("invalid type") {
        ("wrong-type", without_value(message))
    } else {
        ("invalid-value", without_value(message))
    };
    FieldError::new(pointer(keys.iter().map(String::as_str)), code, detail)
}

/// What was expected. What came instead may be a password in the wrong place, and errors are kept in many places.
fn without_value(message: &str) -> String {
    match message.rsplit_once(", expected ") {
        Some((_, expected)) => format!("expected {}", in_json(expected)),
        None => message.to_owned(),
    }
}

/// What serde expects, in the words of JSON: how a type of ours is called says nothing to anybody else.
fn in_json(expected: &str) -> &str {
    match expected.split(' ').next().unwrap_or_default() {
        "struct" | "unit" | "newtype" => "an object",
        "tuple" => "an array",
        "enum" | "variant" => "one of its values",
        "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" | "isize" => {
            "a whole number that isn't too large"
        }
        "f32" | "f64" => "a number",
        _ if expected == "a map" => "an object",
        _ if expected == "a sequence" => "an array",
        _ => expected,
    }
}

fn key(segment: &Segment) -> Option<String> {
    match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { .. } | Segment::Unknown => None,
    }
}

/// A JSON Pointer (RFC 6901).
pub(super) fn pointer<'a>(keys: impl IntoIterator<Item = &'a str>) -> String {
    let mut pointer = String::new();
    for key in keys {
        pointer.push('/');
        pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
    }
    pointer
}
