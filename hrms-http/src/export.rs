//! `/api/v1/exports`: CSV files in the form that imports take.

use hrms_core::CommonError;
use hrms_core::import::ImportKind;

use crate::answer::Download;
use crate::endpoints;
use crate::extract::Path;
use crate::import::KindPath;
use crate::request::Cx;

endpoints! {
    tag = "exports";

    /// Export everything of a kind as CSV.
    ///
    /// Importing the file again changes nothing. A text that a spreadsheet would take for a formula has an
    /// apostrophe in front, which an import takes away again. Birth date and gender are there only for
    /// those who may read personal data.
    GET "/api/v1/exports/{kind}" => download, requires ExportRun, confirmed;
}

async fn download(cx: Cx, Path(path): Path<KindPath>) -> Result<Download, CommonError> {
    let kind: ImportKind = path.kind;
    let csv = cx.hrms.exports().csv(&cx.actor, kind).await?;
    Ok(Download::csv(&format!("{}.csv", kind.code()), csv))
}
