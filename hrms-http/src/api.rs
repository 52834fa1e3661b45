//! The API as a whole: the router and the OpenAPI document, from the same tables.

use std::collections::BTreeMap;

use http::{HeaderValue, Method};
use utoipa::openapi::OpenApi;

use crate::endpoint::Endpoint;
use crate::openapi;

/// Why the endpoint tables don't make an API. A defect of this crate, found at start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Two rows have the same method and path.
    #[error("{method} {path} is declared twice")]
    DuplicateRoute {
        /// The method.
        method: Method,
        /// The path.
        path: &'static str,
    },
    /// Two rows of one tag have handlers of the same name.
    #[error("the operation {id} is declared twice")]
    DuplicateOperation {
        /// The operation's id.
        id: String,
    },
    /// A path can't be routed, or could be mistaken for another.
    #[error("{path} can't be routed")]
    Route {
        /// The path.
        path: &'static str,
        /// Why.
        #[source]
        source: matchit::InsertError,
    },
    /// A row has a method that the document can't describe.
    #[error("{path} has a method that can't be described")]
    Method {
        /// The path.
        path: &'static str,
    },
    /// The handler reads other variables than the path has.
    #[error("{handler} doesn't read the variables of {path}")]
    PathVariables {
        /// The path.
        path: &'static str,
        /// The handler.
        handler: &'static str,
    },
    /// Two types share a name in the OpenAPI document.
    #[error("two types share the schema name {name}")]
    AmbiguousSchema {
        /// The name.
        name: String,
    },
    /// The document refers to a schema that it doesn't have: a parameter of a type of its own needs
    /// `#[param(inline)]`.
    #[error("the OpenAPI document refers to {reference}, which it doesn't have")]
    DanglingReference {
        /// The reference.
        reference: String,
    },
    /// The document can't be written.
    #[error("the OpenAPI document can't be written")]
    Encode(#[from] serde_json::Error),
    /// An allowed web origin isn't one.
    #[error("{origin} isn't a web origin such as https://hr.example.com")]
    Origin {
        /// The setting.
        origin: String,
    },
    /// An allowed host isn't one.
    #[error("{host} isn't a host such as hr.example.com or hr.example.com:8443")]
    Host {
        /// The setting.
        host: String,
    },
}

/// What is at one path.
#[derive(Debug)]
pub(crate) struct Route {
    endpoints: Vec<&'static Endpoint>,
    /// The value of `Allow`.
    pub(crate) allow: HeaderValue,
}

impl Route {
    fn new(endpoints: Vec<&'static Endpoint>) -> Self {
        let mut methods: Vec<&str> = endpoints.iter().map(|endpoint| endpoint.method.as_str()).collect();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        methods.push("OPTIONS");
        let allow = HeaderValue::try_from(methods.join(", "));
        Self { endpoints, allow: allow.unwrap_or(HeaderValue::from_static("OPTIONS")) }
    }

    /// The endpoint for a method; HEAD is answered like GET.
    pub(crate) fn endpoint(&self, method: &Method) -> Option<&'static Endpoint> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.endpoints.iter().copied().find(|endpoint| endpoint.method == *method)
    }
}

/// The router.
#[derive(Debug)]
pub(crate) struct Api {
    router: matchit::Router<Route>,
}

impl Api {
    /// Puts the tables together, and describes them.
    ///
    /// # Errors
    /// When they contradict themselves or each other; see [`BuildError`].
    pub(crate) fn new(
        tables: impl IntoIterator<Item = &'static [Endpoint]>,
    ) -> Result<(Self, OpenApi), BuildError> {
        let endpoints: Vec<&'static Endpoint> = tables.into_iter().flatten().collect();
        let mut by_path: BTreeMap<&'static str, Vec<&'static Endpoint>> = BTreeMap::new();
        for &endpoint in &endpoints {
            let route = by_path.entry(endpoint.path).or_default();
            if route.iter().any(|other| other.method == endpoint.method) {
                return Err(BuildError::DuplicateRoute {
                    method: endpoint.method.clone(),
                    path: endpoint.path,
                });
            }
            route.push(endpoint);
        }
        let document = openapi::document(&endpoints)?;
        let mut router = matchit::Router::new();
        for (path, endpoints) in by_path {
            router
                .insert(path, Route::new(endpoints))
                .map_err(|source| BuildError::Route { path, source })?;
        }
        Ok((Self { router }, document))
    }

    /// What is at a path, with the path's variables.
    pub(crate) fn at<'a>(&'a self, path: &'a str) -> Option<matchit::Match<'a, 'a, &'a Route>> {
        self.router.at(path).ok()
    }
}
