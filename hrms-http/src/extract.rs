//! Extractors: the arguments of a handler. Each reads itself from a request and describes itself for
//! the OpenAPI document, so that the two can't drift.

pub(crate) mod json;
pub(crate) mod list;
pub(crate) mod text;
pub(crate) mod upload;

use std::str::FromStr;

use hrms_core::{FieldError, Version};
use serde::de::DeserializeOwned;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{KnownFormat, Required, SchemaFormat};

use crate::etag;
use crate::openapi::Operation;
use crate::problem::Problem;
use crate::request::Input;

pub(crate) use json::{Json, JsonOrNothing, MergePatch};
pub(crate) use list::{List, ListQuery};
pub(crate) use upload::Upload;

/// What an argument needs of the request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum BodyUse {
    /// Nothing.
    None,
    /// All of it, up to the ordinary limit.
    Whole,
    /// All of it, up to the limit for uploads.
    Upload,
}

impl BodyUse {
    /// The greater need of two arguments.
    pub(crate) const fn or(self, other: Self) -> Self {
        if (self as u8) < (other as u8) { other } else { self }
    }
}

/// One argument of a handler: how to read it, and how to describe it.
pub(crate) trait Extract: Sized + Send {
    /// What it needs of the body.
    const BODY: BodyUse = BodyUse::None;
    /// Whether it reads the query. Where no argument does, any parameter is refused.
    const QUERY: bool = false;

    /// Reads it.
    fn extract(input: &mut Input) -> Result<Self, Problem>;

    /// Describes it.
    fn describe(operation: &mut Operation<'_>);
}

/// The variables of the path, by name. A value that can't be read is an address where nothing is.
#[derive(Debug)]
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + IntoParams + Send> Extract for Path<T> {
    fn extract(input: &mut Input) -> Result<Self, Problem> {
        let vars = input.vars.iter();
        let pairs = vars.map(|(name, value)| Some((name.as_str(), text::percent_decode(value)?)));
        let pairs: Option<Vec<_>> = pairs.collect();
        let pairs = pairs.ok_or_else(Problem::not_found)?;
        text::from_pairs(pairs.into_iter()).map(Path).map_err(|_| Problem::not_found())
    }

    fn describe(operation: &mut Operation<'_>) {
        for parameter in T::into_params(|| Some(ParameterIn::Path)) {
            operation.parameter(parameter);
        }
    }
}

/// The `{id}` of the path. Anything but a UUID is an address where nothing is.
#[derive(Debug)]
pub(crate) struct Id<T>(pub(crate) T);

impl<T: FromStr + Send> Extract for Id<T> {
    fn extract(input: &mut Input) -> Result<Self, Problem> {
        let id = input.vars.iter().find(|(name, _)| name == "id");
        id.and_then(|(_, id)| id.parse().ok()).map(Id).ok_or_else(Problem::not_found)
    }

    fn describe(operation: &mut Operation<'_>) {
        let uuid = ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)));
        operation.parameter(
            ParameterBuilder::new()
                .name("id")
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .description(Some("The object's id."))
                .schema(Some(uuid))
                .build(),
        );
    }
}

/// A form that says nothing that isn't known, or nothing at all.
#[derive(Debug)]
pub(crate) struct AnyForm;

const FORMS: &[&str] = &["application/x-www-form-urlencoded", "multipart/form-data"];

impl Extract for AnyForm {
    const BODY: BodyUse = BodyUse::Whole;

    fn extract(input: &mut Input) -> Result<Self, Problem> {
        let given = json::content_type(input);
        match input.body.is_empty() || FORMS.iter().any(|form| given.eq_ignore_ascii_case(form)) {
            true => Ok(Self),
            false => Err(json::unsupported(FORMS)),
        }
    }

    fn describe(operation: &mut Operation<'_>) {
        let text = ObjectBuilder::new().schema_type(Type::String).into();
        operation.body(FORMS, text);
        operation.body_is_optional();
    }
}

/// The parameters of the query. `T` refuses unknown ones (`#[serde(deny_unknown_fields)]`); a
/// parameter that comes twice is refused here.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned + IntoParams + Send> Extract for Query<T> {
    const QUERY: bool = true;

    fn extract(input: &mut Input) -> Result<Self, Problem> {
        let pairs = query_pairs(input)?;
        query_from_pairs(&pairs).map(Query)
    }

    fn describe(operation: &mut Operation<'_>) {
        for parameter in T::into_params(|| Some(ParameterIn::Query)) {
            operation.parameter(parameter);
        }
    }
}

/// The parameters of the query, each once.
fn query_pairs(input: &Input) -> Result<Vec<(String, String)>, Problem> {
    let Some(query) = input.parts.uri.query().filter(|query| !query.is_empty()) else {
        return Ok(Vec::new());
    };
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query)
        .map_err(|_| Problem::invalid(vec![FieldError::new("", "malformed", "the query can't be read")]))?;
    let twice = pairs.iter().enumerate().find(|(at, (name, _))| {
        let before = pairs.iter().take(*at);
        before.into_iter().any(|(earlier, _)| earlier == name)
    });
    match twice {
        Some((_, (name, _))) => Err(Problem::invalid(vec![FieldError::new(
            json::pointer([name.as_str()]),
            "duplicate",
            "this parameter comes twice",
        )])),
        None => Ok(pairs),
    }
}

fn query_from_pairs<T: DeserializeOwned>(pairs: &[(String, String)]) -> Result<T, Problem> {
    let pairs = pairs.iter().map(|(name, value)| (name.as_str(), std::borrow::Cow::Borrowed(value.as_str())));
    text::from_pairs(pairs).map_err(|fault| Problem::invalid(vec![fault]))
}

/// The version that the caller read, from `If-Match`; missing is 428. See [`etag::if_match`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct IfMatch(pub(crate) Version);

impl Extract for IfMatch {
    fn extract(input: &mut Input) -> Result<Self, Problem> {
        etag::if_match(&input.parts.headers).map(IfMatch)
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.parameter(header(
            "If-Match",
            true,
            "The `ETag` of the object as you read it. Missing: 428; changed meanwhile: 412.",
        ));
    }
}

/// A header with text in it.
pub(crate) fn header(name: &str, required: bool, description: &str) -> Parameter {
    let required = if required { Required::True } else { Required::False };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(required)
        .description(Some(description))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}
