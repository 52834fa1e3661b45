//! The query of a collection: page size, cursor, order and the collection's own filters.

use std::fmt;
use std::sync::Arc;

use hrms_core::page::{DEFAULT_LIMIT, MAX_LIMIT};
use hrms_core::{FieldError, Page, PageRequest};
use serde::de::DeserializeOwned;
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::{Extract, query_from_pairs, query_pairs};
use crate::answer::Listed;
use crate::cursor::Seal;
use crate::openapi::Operation;
use crate::problem::Problem;
use crate::request::Input;

/// The filters of a collection: a struct with `#[serde(deny_unknown_fields)]` and optional fields,
/// without `limit`, `cursor` and `sort`, which [`List`] reads for every collection alike.
pub(crate) trait ListQuery: DeserializeOwned + IntoParams + Send {
    /// The orders that core knows.
    type Sort: Copy + Send + fmt::Debug + 'static;

    /// The names of the orders. The closed list that `sort` takes.
    const SORTS: &'static [(&'static str, Self::Sort)];

    /// The order when the caller doesn't say: one of the names, with `-` in front when descending.
    const DEFAULT_SORT: &'static str;
}

/// What to list: the filters, and which page in which order.
#[derive(Debug)]
pub(crate) struct List<Q: ListQuery> {
    /// The collection's own filters.
    pub(crate) filter: Q,
    /// Which page.
    pub(crate) page: PageRequest<Q::Sort>,
    seal: Arc<Seal>,
}

impl<Q: ListQuery> List<Q> {
    /// The answer with what was found.
    pub(crate) fn answer<T>(&self, page: Page<T>) -> Listed<T> {
        Listed::new(page, Arc::clone(&self.seal))
    }
}

impl<Q: ListQuery> Extract for List<Q> {
    const QUERY: bool = true;

    fn extract(input: &mut Input) -> Result<Self, Problem> {
        let mut pairs = query_pairs(input)?;
        let key = &input.shared.config.cursor_key;
        let seal = Seal::new(key, input.tenant, input.parts.uri.path(), &mut pairs);
        let mut take = |name: &str| {
            let at = pairs.iter().position(|(given, _)| given == name)?;
            Some(pairs.swap_remove(at).1)
        };
        let limit = limit(take("limit"))?;
        let (sort, descending) = sort::<Q>(take("sort").as_deref())?;
        let after = match take("cursor") {
            Some(cursor) => Some(seal.open(&cursor)?),
            None => None,
        };
        Ok(Self {
            filter: query_from_pairs(&pairs)?,
            page: PageRequest { sort, descending, limit, after },
            seal: Arc::new(seal),
        })
    }

    fn describe(operation: &mut Operation<'_>) {
        let limit = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .maximum(Some(MAX_LIMIT))
            .default(Some(DEFAULT_LIMIT.into()));
        let cursor = ObjectBuilder::new().schema_type(Type::String);
        let names = Q::SORTS.iter().flat_map(|(name, _)| [(*name).to_owned(), format!("-{name}")]);
        let sort = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(names))
            .default(Some(Q::DEFAULT_SORT.into()));
        operation.parameter(query("limit", "How many items at most.", limit));
        operation.parameter(query(
            "cursor",
            "`next_cursor` of the page before; good for the same filters and order only.",
            cursor,
        ));
        operation.parameter(query("sort", "The order; `-` in front reverses it.", sort));
        for parameter in Q::into_params(|| Some(ParameterIn::Query)) {
            operation.parameter(parameter);
        }
    }
}

fn limit(given: Option<String>) -> Result<u16, Problem> {
    let Some(given) = given else {
        return Ok(DEFAULT_LIMIT);
    };
    let limit = given.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| {
        let detail = format!("this must be a whole number from 1 to {MAX_LIMIT}");
        Problem::invalid(vec![FieldError::new("/limit", "out-of-range", detail)])
    })
}

fn sort<Q: ListQuery>(given: Option<&str>) -> Result<(Q::Sort, bool), Problem> {
    let given = given.unwrap_or(Q::DEFAULT_SORT);
    let (name, descending) = match given.strip_prefix('-') {
        Some(name) => (name, true),
        None => (given, false),
    };
    let known = Q::SORTS.iter().find(|(known, _)| *known == name);
    known.map(|(_, sort)| (*sort, descending)).ok_or_else(|| {
        let names: Vec<&str> = Q::SORTS.iter().map(|(name, _)| *name).collect();
        let detail = format!("this must be one of {}, with - in front for descending", names.join(", "));
        Problem::invalid(vec![FieldError::new("/sort", "unknown-sort", detail)])
    })
}

fn query(name: &str, description: &str, schema: ObjectBuilder) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}
