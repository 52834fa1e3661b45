//! The schema of a group as shown: by hand, because the groups must not share a name.

use std::borrow::Cow;

use jiff::Timestamp;
use utoipa::openapi::schema::{AllOfBuilder, Schema};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::Detail;
use crate::id::EmployeeId;
use crate::store::Version;

/// What the groups have in common.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct DetailOf {
    /// Whose.
    employee_id: EmployeeId,
    /// When it last changed; `null` when it was never set.
    updated_at: Option<Timestamp>,
    /// Counts changes; 0 when it was never set.
    version: Version,
}

impl<G: ToSchema> PartialSchema for Detail<G> {
    fn schema() -> RefOr<Schema> {
        let fields = Ref::from_schema_name(G::name());
        let whose = Ref::from_schema_name(DetailOf::name());
        AllOfBuilder::new().item(fields).item(whose).into()
    }
}

impl<G: ToSchema> ToSchema for Detail<G> {
    fn name() -> Cow<'static, str> {
        format!("{}OfEmployee", G::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((G::name().into(), G::schema()));
        G::schemas(schemas);
        schemas.push((DetailOf::name().into(), DetailOf::schema()));
        DetailOf::schemas(schemas);
    }
}
