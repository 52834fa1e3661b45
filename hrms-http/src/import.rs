//! `/api/v1/imports`: CSV files that become people and their history.

use std::collections::BTreeMap;

use hrms_core::import::{self, ImportError, ImportKind, ImportMode, ImportView, NewImport};
use hrms_core::{CommonError, FieldError, ImportId};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use crate::answer::{Accepted, Download, Found};
use crate::endpoints;
use crate::extract::{Id, Path, Query, Upload};
use crate::problem::Problem;
use crate::request::Cx;

endpoints! {
    tag = "imports";

    /// Import a CSV file.
    ///
    /// The body is the file itself (`text/csv`) or a form with one file; every parameter may be a field of
    /// the form instead. The answer comes at once; the work goes on as a job, whose result counts rows
    /// created, updated, unchanged and failed and shows the first remarks. UTF-8, separated by commas,
    /// semicolons or tabs; `to` is the first day after a period, open when empty or in the year 9999.
    POST "/api/v1/imports" => submit, requires ImportRun;

    /// Read an import, with its job.
    GET "/api/v1/imports/{id}" => get, requires ImportRun;

    /// Download all remarks about the rows of an import as CSV.
    GET "/api/v1/imports/{id}/errors" => errors, requires ImportRun;

    /// Download a template: the header of a kind of file, and an example row.
    GET "/api/v1/imports/templates/{kind}" => template, requires ImportRun;
}

/// What a file is about, in the path.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct KindPath {
    /// What the file is about.
    pub(crate) kind: ImportKind,
}

/// How the file is to be imported.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
struct ImportQuery {
    /// What the file is about.
    kind: Option<ImportKind>,
    /// What becomes of the good rows when others are bad; unless given `per_row`, and for opening balances
    /// `all_or_nothing`.
    mode: Option<ImportMode>,
    /// Check everything, write nothing.
    dry_run: Option<bool>,
    /// The field by which an existing row is recognised: `number` or `email` for employees, otherwise `code`.
    key: Option<String>,
    /// A JSON object from the file's column names to our fields; `null` leaves a column out.
    mapping: Option<String>,
    /// A JSON object with values for fields that the file has no column for, or an empty cell.
    defaults: Option<String>,
    /// Employment history: `designation` adds designations that don't exist, named as in the file.
    create_missing: Option<String>,
    /// Department heads: make the head the manager of the department's members who have none.
    assign_managers: Option<bool>,
}

fn fault(pointer: &'static str, code: &'static str, detail: impl Into<String>) -> Problem {
    Problem::invalid(vec![FieldError::new(pointer, code, detail.into())])
}

fn json<T: DeserializeOwned + Default>(pointer: &'static str, text: Option<&str>) -> Result<T, Problem> {
    match text {
        None => Ok(T::default()),
        Some(text) => serde_json::from_str(text).map_err(|error| {
            fault(pointer, "malformed", format!("this must be a JSON object of texts: {error}"))
        }),
    }
}

fn flag(pointer: &'static str, text: &str) -> Result<bool, Problem> {
    text.parse().map_err(|_| fault(pointer, "malformed", "this must be true or false"))
}

impl ImportQuery {
    /// Takes a field of the form, unless the query has it.
    fn set(&mut self, name: &str, value: String) -> Result<(), Problem> {
        fn put<T>(at: &mut Option<T>, value: T) -> bool {
            at.replace(value).is_some()
        }
        let twice = match name {
            "kind" => {
                let kind = ImportKind::from_code(&value);
                put(
                    &mut self.kind,
                    kind.ok_or_else(|| fault("/kind", "unknown-value", "there is no such kind"))?,
                )
            }
            "mode" => {
                let mode = ImportMode::from_code(&value);
                put(
                    &mut self.mode,
                    mode.ok_or_else(|| fault("/mode", "unknown-value", "there is no such mode"))?,
                )
            }
            "dry_run" => put(&mut self.dry_run, flag("/dry_run", &value)?),
            "assign_managers" => put(&mut self.assign_managers, flag("/assign_managers", &value)?),
            "key" => put(&mut self.key, value),
            "mapping" => put(&mut self.mapping, value),
            "defaults" => put(&mut self.defaults, value),
            "create_missing" => put(&mut self.create_missing, value),
            other => {
                let field = FieldError::new(format!("/{other}"), "unknown-field", "there is no such field");
                return Err(Problem::invalid(vec![field]));
            }
        };
        if twice {
            let field = FieldError::new(format!("/{name}"), "duplicate", "this field comes twice");
            return Err(Problem::invalid(vec![field]));
        }
        Ok(())
    }

    fn into_import(self, file_name: Option<String>) -> Result<NewImport, Problem> {
        let kind = self.kind.ok_or_else(|| fault("/kind", "required", "this says what the file is about"))?;
        let create_missing_designations = match self.create_missing.as_deref() {
            None => false,
            Some("designation") => true,
            Some(_) => return Err(fault("/create_missing", "unknown-value", "this can only be designation")),
        };
        Ok(NewImport {
            kind,
            mode: self.mode.unwrap_or(kind.usual_mode()),
            dry_run: self.dry_run.unwrap_or(false),
            key: self.key,
            mapping: json::<BTreeMap<String, Option<String>>>("/mapping", self.mapping.as_deref())?,
            defaults: json::<BTreeMap<String, String>>("/defaults", self.defaults.as_deref())?,
            create_missing_designations,
            assign_managers: self.assign_managers.unwrap_or(false),
            file_name,
        })
    }
}

async fn submit(
    cx: Cx,
    Query(mut query): Query<ImportQuery>,
    upload: Upload,
) -> Result<Accepted<ImportView>, Problem> {
    let uploaded = upload.read().await?;
    for (name, value) in uploaded.fields {
        query.set(&name, value)?;
    }
    let new = query.into_import(uploaded.file_name)?;
    Ok(Accepted(cx.hrms.imports().submit(&cx.actor, new, &uploaded.file).await?))
}

async fn get(cx: Cx, Id(id): Id<ImportId>) -> Result<Found<ImportView>, ImportError> {
    cx.hrms.imports().get(&cx.actor, id).await.map(Found)
}

async fn errors(cx: Cx, Id(id): Id<ImportId>) -> Result<Download, ImportError> {
    let csv = cx.hrms.imports().errors_csv(&cx.actor, id).await?;
    Ok(Download::csv(&format!("import-{id}-errors.csv"), csv))
}

async fn template(_: Cx, Path(path): Path<KindPath>) -> Result<Download, CommonError> {
    Ok(Download::csv(&format!("{}.csv", path.kind.code()), import::template(path.kind)))
}
