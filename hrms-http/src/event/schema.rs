//! The section `webhooks` of the OpenAPI document: every type of event with what its data holds.

use hrms_core::event::{COMMON_DATA, DataField, DataForm, EVENT_TYPES, EventFrame, EventType};
use serde_json::{Value, json};
use utoipa::openapi::path::{
    HttpMethod, Operation as OpenApiOperation, OperationBuilder, ParameterBuilder, ParameterIn,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{ContentBuilder, Paths, RefOr, Required, ResponseBuilder};

use crate::api::BuildError;
use crate::openapi::Operation;

/// What the data of a type holds, as JSON Schema.
pub(super) fn data(event_type: &EventType, common: &[DataField]) -> Value {
    let declared = |field: &&DataField| event_type.data.iter().any(|own| own.name == field.name);
    let fields = event_type.data.iter().chain(common.iter().filter(|field| !declared(field)));
    let properties: serde_json::Map<_, _> =
        fields.map(|field| (field.name.to_owned(), form(field))).collect();
    let required = event_type.data.iter().filter(|field| !field.optional).map(|field| field.name);
    let required: Vec<&str> = required.collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn form(field: &DataField) -> Value {
    let (name, format) = match field.form {
        DataForm::Id => ("string", Some("uuid")),
        DataForm::Date => ("string", Some("date")),
        DataForm::Instant => ("string", Some("date-time")),
        DataForm::Number => ("number", None),
        DataForm::Flag => ("boolean", None),
        DataForm::Texts => ("array", None),
        _ => ("string", None),
    };
    let mut schema = serde_json::Map::new();
    let kind = match field.optional && name != "array" {
        true => json!([name, "null"]),
        false => json!(name),
    };
    schema.insert("type".to_owned(), kind);
    if let Some(format) = format {
        schema.insert("format".to_owned(), format.into());
    }
    if field.form == DataForm::Texts {
        schema.insert("items".to_owned(), json!({ "type": "string" }));
    }
    Value::Object(schema)
}

/// The messages that webhooks are sent, by type of event.
pub(crate) fn webhooks(operation: &mut Operation<'_>) -> Result<Paths, BuildError> {
    let frame = serde_json::to_value(operation.schema::<EventFrame>())?;
    let mut paths = Paths::new();
    for event_type in EVENT_TYPES.iter().filter(|known| !known.is_addressed()) {
        let message = message(event_type, &frame)?;
        paths.add_path_operation(event_type.name, vec![HttpMethod::Post], message);
    }
    Ok(paths)
}

fn message(event_type: &EventType, frame: &Value) -> Result<OpenApiOperation, BuildError> {
    let schema = json!({ "allOf": [frame, { "type": "object", "properties": {
        "type": { "type": "string", "enum": [event_type.name] },
        "subject": { "type": "string", "description": format!("`{}`", event_type.subject) },
        "data": data(event_type, COMMON_DATA),
    } }] });
    let schema: RefOr<Schema> = serde_json::from_value(schema)?;
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let body = RequestBodyBuilder::new()
        .content("application/cloudevents+json", content)
        .required(Some(Required::True))
        .build();
    let taken =
        ResponseBuilder::new().description("Any status from 200 to 299: the message was taken.").build();
    let mut operation = OperationBuilder::new()
        .operation_id(Some(format!("event_{}", event_type.name.replace(['.', '-'], "_"))))
        .tag("webhooks")
        .summary(Some(event_type.about.trim_end_matches('.')))
        .request_body(Some(body))
        .response("2XX", taken);
    for (name, about) in HEADERS {
        let text = ObjectBuilder::new().schema_type(Type::String);
        let header = ParameterBuilder::new()
            .name(*name)
            .parameter_in(ParameterIn::Header)
            .required(Required::True)
            .description(Some(*about))
            .schema(Some(text))
            .build();
        operation = operation.parameter(header);
    }
    Ok(operation.build())
}

const HEADERS: &[(&str, &str)] = &[
    ("webhook-id", "The event's id: the same whenever the message is sent again."),
    ("webhook-timestamp", "When this attempt was made: seconds since 1970."),
    (
        "webhook-signature",
        "`v1,` and a signature; several are separated by spaces while a secret is replaced.",
    ),
];
