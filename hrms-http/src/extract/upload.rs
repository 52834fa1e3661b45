//! Uploaded files: a raw CSV body, or the parts of a `multipart/form-data` form.

use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::{BodyUse, Extract, json};
use crate::openapi::Operation;
use crate::problem::Problem;
use crate::request::Input;

const FORM: &str = "multipart/form-data";
const CSV: &str = "text/csv";

/// An uploaded body under the limit for uploads, not yet taken apart.
#[derive(Debug)]
pub(crate) struct Upload {
    content_type: String,
    body: Bytes,
}

/// The content of an upload.
#[derive(Debug, Default)]
pub(crate) struct Uploaded {
    /// The file: the raw body, or the part with a file name.
    pub(crate) file: Bytes,
    /// The file's name, if the caller gave one.
    pub(crate) file_name: Option<String>,
    /// The text parts of the form, in order.
    pub(crate) fields: Vec<(String, String)>,
}

impl Extract for Upload {
    const BODY: BodyUse = BodyUse::Upload;

    fn extract(input: &mut Input) -> Result<Self, Problem> {
        let given = json::content_type(input);
        if !given.eq_ignore_ascii_case(FORM) && !given.eq_ignore_ascii_case(CSV) {
            return Err(json::unsupported(&[FORM, CSV]));
        }
        let value = input.parts.headers.get(CONTENT_TYPE);
        let content_type = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
        Ok(Self { content_type: content_type.to_owned(), body: std::mem::take(&mut input.body) })
    }

    fn describe(operation: &mut Operation<'_>) {
        let file = ObjectBuilder::new().schema_type(Type::String).content_media_type(CSV).build();
        let form = ObjectBuilder::new().property("file", file.clone()).required("file");
        operation.body(&[FORM], form.into());
        operation.body(&[CSV], file.into());
    }
}

impl Upload {
    /// Takes the body apart.
    ///
    /// # Errors
    /// A form that can't be read, or without exactly one file.
    pub(crate) async fn read(self) -> Result<Uploaded, Problem> {
        let Ok(boundary) = multer::parse_boundary(&self.content_type) else {
            if self.content_type.to_ascii_lowercase().starts_with(FORM) {
                return Err(malformed("the form has no boundary"));
            }
            return Ok(Uploaded { file: self.body, ..Uploaded::default() });
        };
        let body = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(self.body)]);
        let mut form = multer::Multipart::new(body, boundary);
        let mut read = Uploaded::default();
        let mut files = 0;
        while let Some(part) = form.next_field().await.map_err(unreadable)? {
            let name = part.name().unwrap_or_default().to_owned();
            if let Some(file_name) = part.file_name() {
                files += 1;
                read.file_name = Some(file_name.to_owned());
                read.file = part.bytes().await.map_err(unreadable)?;
            } else {
                read.fields.push((name, part.text().await.map_err(unreadable)?));
            }
        }
        if files == 1 { Ok(read) } else { Err(malformed("the form must have exactly one file")) }
    }
}

fn unreadable(error: multer::Error) -> Problem {
    malformed(format!("the form can't be read: {error}"))
}

fn malformed(detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "http.malformed-form", detail)
}
