//! The OpenAPI 3.1 document, made from the endpoint tables.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, Parameter, ParameterIn};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Paths, Ref, RefOr, Required,
    Response, ResponseBuilder,
};

use crate::api::BuildError;
use crate::endpoint::{Access, Endpoint};
use crate::extract::header;
use crate::problem::ProblemSchema;

/// The schemas that operations refer to, by name.
#[derive(Default)]
pub(crate) struct Schemas {
    by_name: BTreeMap<String, RefOr<Schema>>,
    ambiguous: Option<String>,
}

impl Schemas {
    fn add(&mut self, name: String, schema: RefOr<Schema>) {
        match self.by_name.get(&name) {
            Some(known) if *known != schema => self.ambiguous = Some(name),
            Some(_) => {}
            None => {
                self.by_name.insert(name, schema);
            }
        }
    }
}

/// The description of one endpoint in the making.
pub(crate) struct Operation<'a> {
    schemas: &'a mut Schemas,
    parameters: Vec<Parameter>,
    body: Option<RequestBody>,
    responses: Vec<(String, Response)>,
    websocket: bool,
}

impl<'a> Operation<'a> {
    fn new(schemas: &'a mut Schemas) -> Self {
        Self { schemas, parameters: Vec::new(), body: None, responses: Vec::new(), websocket: false }
    }
}

impl Operation<'_> {
    /// A reference to the schema of `T`, which is added to the document with all that it refers to.
    pub(crate) fn schema<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let mut nested = Vec::new();
        T::schemas(&mut nested);
        for (name, schema) in nested {
            self.schemas.add(name, schema);
        }
        self.named_schema(&T::name(), T::schema())
    }

    /// A reference to a schema, which is added to the document.
    pub(crate) fn named_schema(&mut self, name: &str, schema: RefOr<Schema>) -> RefOr<Schema> {
        self.schemas.add(name.to_owned(), schema);
        Ref::from_schema_name(name).into()
    }

    /// Adds a parameter. Optional ones are left out of a request, never null.
    pub(crate) fn parameter(&mut self, mut parameter: Parameter) {
        if let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema
            && let SchemaType::Array(types) = &schema.schema_type
        {
            let mut types = types.iter().filter(|one| **one != Type::Null);
            if let (Some(only), None) = (types.next(), types.next()) {
                schema.schema_type = SchemaType::Type(only.clone());
            }
        }
        self.parameters.push(parameter);
    }

    /// Adds a body that may have any of these content types.
    pub(crate) fn body(&mut self, content_types: &[&str], schema: RefOr<Schema>) {
        let mut body = match self.body.take() {
            Some(body) => RequestBodyBuilder::from(body),
            None => RequestBodyBuilder::new().required(Some(Required::True)),
        };
        for content_type in content_types {
            let content = ContentBuilder::new().schema(Some(schema.clone())).build();
            body = body.content(*content_type, content);
        }
        self.body = Some(body.build());
    }

    /// Says that the request may also come without a body.
    pub(crate) fn body_is_optional(&mut self) {
        let body = self.body.take().map(|body| RequestBodyBuilder::from(body).required(None).build());
        self.body = body;
    }

    /// Adds a response.
    pub(crate) fn response(
        &mut self,
        status: StatusCode,
        description: &str,
        content: Option<(&str, RefOr<Schema>)>,
        headers: &[&str],
    ) {
        let mut response = ResponseBuilder::new().description(description);
        if let Some((content_type, schema)) = content {
            let content = ContentBuilder::new().schema(Some(schema)).build();
            response = response.content(content_type, content);
        }
        for name in ["X-Request-Id"].iter().chain(headers) {
            let text = ObjectBuilder::new().schema_type(Type::String);
            let header = HeaderBuilder::new().schema(Some(text));
            response = response.header(*name, header.description(Some(about_header(name))).build());
        }
        self.responses.push((status.as_str().to_owned(), response.build()));
    }

    /// Marks the endpoint as the start of a WebSocket.
    pub(crate) fn websocket(&mut self) {
        self.websocket = true;
    }
}

fn about_header(name: &str) -> &'static str {
    match name {
        "ETag" => "Names this state of the object: for If-Match and If-None-Match.",
        "Location" => "The address of the new object or of the job.",
        "X-Request-Id" => "The request's id; name it when you report a problem.",
        "Content-Disposition" => "The file's name.",
        _ => "",
    }
}

const BEARER: &str = "bearer";

/// Makes the document.
pub(crate) fn document(endpoints: &[&'static Endpoint]) -> Result<OpenApi, BuildError> {
    let mut schemas = Schemas::default();
    let mut paths = Paths::new();
    let mut ids = std::collections::BTreeSet::new();
    for endpoint in endpoints {
        let (id, operation) = operation(endpoint, &mut schemas)?;
        if !ids.insert(id.clone()) {
            return Err(BuildError::DuplicateOperation { id });
        }
        let method = http_method(&endpoint.method).ok_or(BuildError::Method { path: endpoint.path })?;
        paths.add_path_operation(endpoint.path, vec![method], operation);
    }
    let mut described = Operation::new(&mut schemas);
    let webhooks = crate::event::schema::webhooks(&mut described)?;
    if let Some(name) = schemas.ambiguous {
        return Err(BuildError::AmbiguousSchema { name });
    }
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The access token from `POST /api/v1/auth/login`."))
        .build();
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas.by_name)
        .security_scheme(BEARER, SecurityScheme::Http(bearer))
        .build();
    let info =
        InfoBuilder::new().title("HRMS").version(env!("CARGO_PKG_VERSION")).description(Some(ABOUT)).build();
    let document = OpenApiBuilder::new().info(info).paths(paths).webhooks(Some(webhooks));
    let document = document.components(Some(components)).build();
    let json = serde_json::to_value(&document)?;
    check_references(&json, &json)?;
    Ok(document)
}

/// Refuses a document with a reference that leads nowhere.
fn check_references(document: &Value, part: &Value) -> Result<(), BuildError> {
    match part {
        Value::Array(items) => items.iter().try_for_each(|item| check_references(document, item)),
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                let target = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
                if target.is_none() {
                    return Err(BuildError::DanglingReference { reference: reference.clone() });
                }
            }
            fields.values().try_for_each(|field| check_references(document, field))
        }
        _ => Ok(()),
    }
}

const ABOUT: &str = "Human resources of many organisations.\n\n\
    Errors are `application/problem+json` with a stable `code`. Unknown fields and parameters are \
    refused. Lists are paged by cursor. Objects carry an `ETag`; changes need it in `If-Match`. \
    A POST with an `Idempotency-Key` can be repeated safely for 24 hours.";

fn operation(
    endpoint: &Endpoint,
    schemas: &mut Schemas,
) -> Result<(String, utoipa::openapi::path::Operation), BuildError> {
    let mut described = Operation::new(schemas);
    (endpoint.describe)(&mut described);
    if endpoint.takes_idempotency_key() {
        described.parameter(header("Idempotency-Key", false, ABOUT_KEY));
    }
    check_path_variables(endpoint, &described.parameters)?;
    let problem = described.schema::<ProblemSchema>();
    let problem = ContentBuilder::new().schema(Some(problem)).build();
    let problem = ResponseBuilder::new()
        .description("What went wrong (RFC 9457).")
        .content("application/problem+json", problem)
        .build();

    let id = format!("{}_{}", endpoint.tag.replace('-', "_"), endpoint.name);
    let (summary, description) = docs(endpoint.docs);
    let mut operation = OperationBuilder::new()
        .operation_id(Some(id.clone()))
        .tag(endpoint.tag)
        .summary(Some(summary))
        .description(description)
        .request_body(described.body)
        .parameters((!described.parameters.is_empty()).then_some(described.parameters));
    operation = match endpoint.access {
        Access::Public => operation.securities(Some([SecurityRequirement::default()])),
        _ => operation.security(SecurityRequirement::new::<_, [&str; 0], _>(BEARER, [])),
    };
    let mut extensions = ExtensionsBuilder::new();
    if let Access::Requires(permission) | Access::Asked(permission) = endpoint.access {
        extensions = extensions.add("x-permission", permission.code());
    }
    if described.websocket {
        extensions = extensions.add("x-websocket", true);
    }
    operation = operation.extensions(Some(extensions.build()));
    for (status, response) in described.responses {
        operation = operation.response(status, response);
    }
    if endpoint.confirmed {
        let mut old = problem.clone();
        old.description = ABOUT_CONFIRMED.to_owned();
        operation = operation.response("401", old);
    }
    Ok((id, operation.response("default", problem).build()))
}

const ABOUT_CONFIRMED: &str = "`auth.step-up-required`: the proof of who you are is older than ten minutes; see \
    `POST /api/v1/auth/step-up`. (Or another problem with the credential.)";

const ABOUT_KEY: &str = "1 to 255 visible ASCII characters. The same request with the same key has one \
    effect and gets the same answer for 24 hours.";

/// The first line without its full stop, and the rest.
fn docs(lines: &[&str]) -> (String, Option<String>) {
    let mut lines = lines.iter().map(|line| line.trim());
    let summary = lines.next().unwrap_or_default().trim_end_matches('.').to_owned();
    let rest: Vec<&str> = lines.collect();
    let rest = rest.join("\n").trim().to_owned();
    (summary, (!rest.is_empty()).then_some(rest))
}

fn check_path_variables(endpoint: &Endpoint, parameters: &[Parameter]) -> Result<(), BuildError> {
    let variable = |part: &'static str| part.strip_prefix('{')?.strip_suffix('}');
    let mut in_path: Vec<&str> = endpoint.path.split('/').filter_map(variable).collect();
    let read = parameters.iter().filter(|p| p.parameter_in == ParameterIn::Path);
    let mut read: Vec<&str> = read.map(|parameter| parameter.name.as_str()).collect();
    in_path.sort_unstable();
    read.sort_unstable();
    if in_path == read {
        Ok(())
    } else {
        Err(BuildError::PathVariables { path: endpoint.path, handler: endpoint.name })
    }
}

fn http_method(method: &Method) -> Option<HttpMethod> {
    match *method {
        Method::GET => Some(HttpMethod::Get),
        Method::POST => Some(HttpMethod::Post),
        Method::PUT => Some(HttpMethod::Put),
        Method::PATCH => Some(HttpMethod::Patch),
        Method::DELETE => Some(HttpMethod::Delete),
        _ => None,
    }
}
