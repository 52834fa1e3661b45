//! Why a file was refused as a whole.

use crate::error::{CommonError, DomainError, ErrorKind, FieldError};

/// Why a file was refused before any row was looked at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// There is no header row.
    #[error("the file is empty: its first row must name the columns")]
    Empty,
    /// The header isn't UTF-8 text.
    #[error("the header row isn't UTF-8 text: save the file as UTF-8")]
    NotUtf8,
    /// A column has no name, or two columns have the same name or fill the same field.
    #[error("column {column:?} comes twice or has no name")]
    DuplicateColumn {
        /// The column, as in the file.
        column: String,
    },
    /// Columns that are no field and not mentioned in the mapping.
    #[error("unknown columns {}: name them in the mapping, with null to leave them out", quoted(.columns))]
    UnknownColumns {
        /// The columns, as in the file.
        columns: Vec<String>,
    },
    /// Fields that must have a column.
    #[error("columns are missing for the fields {}", quoted(.fields))]
    MissingColumns {
        /// The fields.
        fields: Vec<String>,
    },
    /// Mapping, defaults or key name something that isn't there.
    #[error("{}", detail(.0))]
    Settings([FieldError; 1]),
    /// A failure that any feature can have.
    #[error(transparent)]
    Common(CommonError),
}

crate::lift_common_errors!(ImportError);

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

fn detail([field]: &[FieldError; 1]) -> &str {
    &field.detail
}

impl ImportError {
    pub(crate) fn settings(pointer: &'static str, code: &'static str, detail: String) -> Self {
        Self::Settings([FieldError::new(pointer, code, detail)])
    }
}

impl DomainError for ImportError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Common(common) => common.kind(),
            _ => ErrorKind::Invalid,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Empty => "import.empty-file",
            Self::NotUtf8 => "import.not-utf8",
            Self::DuplicateColumn { .. } => "import.duplicate-column",
            Self::UnknownColumns { .. } => "import.unknown-columns",
            Self::MissingColumns { .. } => "import.missing-columns",
            Self::Settings(_) => "import.settings",
            Self::Common(common) => common.code(),
        }
    }

    fn fields(&self) -> &[FieldError] {
        match self {
            Self::Settings(fields) => fields,
            Self::Common(common) => common.fields(),
            _ => &[],
        }
    }
}
