//! What the OpenAPI document says of one operation.

use http::Method;
use serde_json::{Value, json};

use super::world::Tenant;

#[derive(Clone, Debug)]
pub(in crate::all) struct Operation {
    pub(in crate::all) method: Method,
    /// With variables, as in `/api/v1/locations/{id}`.
    pub(in crate::all) path: String,
    document: Value,
    /// The fields of the body, as JSON Schema.
    fields: Value,
}

impl Operation {
    pub(in crate::all) fn all(document: &Value) -> Vec<Self> {
        let mut all = Vec::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let method = method.to_uppercase().parse().unwrap();
                let schema = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
                let schema =
                    schema.as_str().and_then(|reference| document.pointer(reference.strip_prefix('#')?));
                let fields = schema.map_or(Value::Null, |schema| schema["properties"].clone());
                all.push(Self { method, path: path.clone(), document: operation.clone(), fields });
            }
        }
        all
    }

    pub(in crate::all) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    pub(in crate::all) fn is_public(&self) -> bool {
        self.document["security"] == json!([{}])
    }

    pub(in crate::all) fn is_platform(&self) -> bool {
        self.path.starts_with("/api/v1/platform/")
    }

    pub(in crate::all) fn is_websocket(&self) -> bool {
        self.document["x-websocket"] == true
    }

    /// Whether it is a list that is read page by page.
    pub(in crate::all) fn is_list(&self) -> bool {
        self.has_parameter("query", "cursor")
    }

    /// Whether it wants to know which version the caller has read.
    pub(in crate::all) fn needs_version(&self) -> bool {
        self.has_parameter("header", "If-Match")
    }

    fn has_parameter(&self, place: &str, name: &str) -> bool {
        let parameters = self.document["parameters"].as_array().into_iter().flatten();
        parameters.into_iter().any(|one| one["in"] == place && one["name"] == name)
    }

    pub(in crate::all) fn takes_body(&self) -> bool {
        !self.document["requestBody"].is_null()
    }

    pub(in crate::all) fn takes_json(&self) -> bool {
        !self.document["requestBody"]["content"]["application/json"].is_null()
    }

    /// The fields of the body that name something else by its id.
    pub(in crate::all) fn references(&self) -> Vec<&str> {
        let fields = self.fields.as_object().into_iter().flatten();
        fields.map(|(name, _)| name.as_str()).filter(|name| is_id(name)).collect()
    }

    /// The names of the fields of the body.
    pub(in crate::all) fn field_names(&self) -> Vec<&str> {
        self.fields.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect()
    }

    pub(in crate::all) fn may_be_empty(&self) -> bool {
        self.document["requestBody"]["required"] != true
    }

    /// The collection that the path's variables are of, as in `leave-types`.
    fn collection(&self) -> &str {
        if self.path == "/api/v1/employees/{id}/rehire" {
            return "former-employees";
        }
        let rest = self.path.strip_prefix("/api/v1/").unwrap_or(&self.path);
        rest.split("/{").next().unwrap_or_default()
    }

    /// The names of the path's variables.
    pub(in crate::all) fn variables(&self) -> Vec<&str> {
        self.path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect()
    }

    /// Whether the path names something by an id.
    pub(in crate::all) fn has_id(&self) -> bool {
        self.variables().iter().any(|name| is_id(name))
    }

    /// The path to something of an organisation.
    pub(in crate::all) fn path_in(&self, tenant: &Tenant) -> String {
        self.filled(|name| tenant.variable(self.collection(), name))
    }

    /// The path to something of an organisation, with another id in the place of each one.
    pub(in crate::all) fn path_with_id(&self, tenant: &Tenant, id: &str) -> String {
        self.filled(|name| if is_id(name) { id.to_owned() } else { tenant.variable(self.collection(), name) })
    }

    /// The path with this text for every variable.
    pub(in crate::all) fn path_with(&self, text: &str) -> String {
        self.filled(|_| text.to_owned())
    }

    fn filled(&self, value: impl Fn(&str) -> String) -> String {
        let mut path = self.path.clone();
        for name in self.variables() {
            path = path.replace(&format!("{{{name}}}"), &value(name));
        }
        path
    }
}

fn is_id(variable: &str) -> bool {
    variable == "id" || variable.ends_with("_id")
}
