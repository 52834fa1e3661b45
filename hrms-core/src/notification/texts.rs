//! The words of notifications: those of the library, and those that an organisation writes instead.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::audit::{Act, Audited, Change};
use crate::error::{CommonError, StoreError};
use crate::mail::Message;
use crate::notification::words::words;
use crate::notification::{
    NotificationError, NotificationService, NotificationType, Template, TemplateFault, Variable, channel,
};
use crate::policy::{Permission, Resource};
use crate::validate::Check;

/// How many texts an organisation can have.
const MOST_TEXTS: usize = 500;

/// The longest title and body that are kept once they are filled in, in characters.
const LONGEST: (usize, usize) = (300, 20_000);

/// The words of a type of notification in one language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NotificationTemplate {
    /// The type, as in `leave_request.approved`.
    pub r#type: String,
    /// The language: a BCP 47 tag, as in `de`.
    pub language: String,
    /// One line: the subject of a message, the title in the inbox.
    pub subject: String,
    /// The rest. An empty line begins a paragraph.
    pub body: String,
    /// When the organisation wrote it; `null` for a text of the library.
    pub updated_at: Option<Timestamp>,
}

impl Audited for NotificationTemplate {}

/// Words that an organisation writes.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewTemplate {
    /// One line, at most 200 characters. `{{name}}` is a variable of the type.
    pub subject: String,
    /// The rest, at most 5,000 characters. An empty line begins a paragraph; `{{#name}}…{{/name}}` is shown if there
    /// is such a value, `{{^name}}…{{/name}}` if there is none.
    pub body: String,
}

/// Words that an organisation would like to see filled in.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PreviewTemplate {
    /// The type, as in `leave_request.approved`.
    pub r#type: String,
    /// The language: a BCP 47 tag, as in `de`.
    pub language: String,
    /// One line.
    pub subject: String,
    /// The rest.
    pub body: String,
}

/// A text filled in with examples.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TemplatePreview {
    /// The subject of the message, the title in the inbox.
    pub subject: String,
    /// The message as text.
    pub text: String,
    /// The message as HTML.
    pub html: String,
}

/// The texts of a type of notification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TemplatesOfType {
    /// The type, as in `leave_request.approved`.
    pub r#type: String,
    /// When somebody is told.
    pub about: String,
    /// What the texts can name.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Variable>))]
    pub variables: Vec<VariableView>,
    /// What is used, by language: the organisation's own text if there is one.
    pub templates: Vec<NotificationTemplate>,
}

/// A value that texts can name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VariableView {
    /// Its name.
    pub name: String,
    /// An example, as previews show it.
    pub example: String,
}

/// The tenant's own texts in storage.
#[async_trait]
pub trait NotificationTemplateRepo: Send {
    /// All, by type and language.
    async fn all(&mut self) -> Result<Vec<NotificationTemplate>, StoreError>;
    /// Those of a type, by language.
    async fn of(&mut self, kind: &str) -> Result<Vec<NotificationTemplate>, StoreError>;
    /// How many there are; the number stays the same until we end, but for what we add.
    async fn count(&mut self) -> Result<usize, StoreError>;
    /// Writes a text, in the place of the one that was there.
    async fn put(&mut self, template: &NotificationTemplate) -> Result<(), StoreError>;
    /// Removes a text; whether there was one.
    async fn remove(&mut self, kind: &str, language: &str) -> Result<bool, StoreError>;
}

/// A text filled in.
pub(super) struct Told {
    pub(super) language: String,
    pub(super) title: String,
    pub(super) body: String,
}

/// The best text for somebody who wants these languages, the best first: in each, the organisation's own goes before the
/// library's, and a language stands in for its regions.
pub(super) fn choose<'a>(
    kind: &NotificationType,
    own: &[NotificationTemplate],
    languages: impl Iterator<Item = &'a str>,
) -> NotificationTemplate {
    let base = |tag: &'a str| tag.split('-').next().unwrap_or_default();
    for tag in languages.flat_map(|tag| [tag, base(tag)]).chain(["en"]) {
        if let Some(own) = own.iter().find(|own| own.language == tag) {
            return own.clone();
        }
        if let Some((_, text)) = kind.texts.iter().find(|(known, _)| *known == tag) {
            return built_in(kind, tag, text.subject, text.body);
        }
    }
    built_in(kind, "en", kind.name, "")
}

fn built_in(kind: &NotificationType, language: &str, subject: &str, body: &str) -> NotificationTemplate {
    NotificationTemplate {
        r#type: kind.name.to_owned(),
        language: language.to_owned(),
        subject: subject.to_owned(),
        body: body.to_owned(),
        updated_at: None,
    }
}

/// Fills in a text. Dates are written as the language does.
///
/// # Errors
/// What is wrong with the subject, or with the body.
pub(super) fn fill(
    kind: &NotificationType,
    template: &NotificationTemplate,
    values: &BTreeMap<&str, String>,
) -> Result<Told, (&'static str, TemplateFault)> {
    let mut shown: BTreeMap<&str, String> = BTreeMap::new();
    for variable in kind.all_variables() {
        let value = values.get(variable.name).cloned().unwrap_or_default();
        let value = match value.parse::<Date>() {
            Ok(on) if variable.date => words(&template.language).date(on),
            _ => value,
        };
        shown.insert(variable.name, value);
    }
    let known = kind.known_variables();
    let value = |name: &str| shown.get(name).map(String::as_str);
    let subject = Template::parse(&template.subject, &known).map_err(|fault| ("/subject", fault))?;
    let body = Template::parse(&template.body, &known).map_err(|fault| ("/body", fault))?;
    let title = subject.render(&value);
    let title = title.chars().map(|c| if c.is_control() { ' ' } else { c });
    Ok(Told {
        language: template.language.clone(),
        title: title.take(LONGEST.0).collect(),
        body: body.render(&value).chars().take(LONGEST.1).collect(),
    })
}

impl NotificationService<'_> {
    /// The texts of every type.
    ///
    /// # Errors
    /// When they may not be seen.
    pub async fn templates(&self, actor: &Actor) -> Result<Vec<TemplatesOfType>, NotificationError> {
        self.manage(actor)?;
        let mut tx = self.0.read(actor).await?;
        let own = tx.notification_templates().all().await?;
        let of_type = |kind: &'static NotificationType| {
            let mut templates: Vec<_> = own.iter().filter(|own| own.r#type == kind.name).cloned().collect();
            for (language, text) in kind.texts {
                if !templates.iter().any(|own| own.language == *language) {
                    templates.push(built_in(kind, language, text.subject, text.body));
                }
            }
            templates.sort_by(|a, b| a.language.cmp(&b.language));
            let variable = |known: &Variable| VariableView {
                name: known.name.to_owned(),
                example: known.example.to_owned(),
            };
            TemplatesOfType {
                r#type: kind.name.to_owned(),
                about: kind.about.to_owned(),
                variables: kind.all_variables().map(variable).collect(),
                templates,
            }
        };
        Ok(self.0.notification_types().map(of_type).collect())
    }

    /// Writes the organisation's own text of a type in a language, also in one that the library doesn't know. It is used
    /// from now on; what was told stays as it was.
    ///
    /// # Errors
    /// [`NotificationError::TooManyTexts`]; [`NotificationError::TextFixed`]; when there is no such type; faulty fields.
    pub async fn put_template(
        &self,
        actor: &Actor,
        kind: &str,
        language: &str,
        new: NewTemplate,
    ) -> Result<NotificationTemplate, NotificationError> {
        self.manage(actor)?;
        let mut work = self.0.begin(actor).await?;
        let kind = self.kind(kind)?;
        if kind.security {
            return Err(NotificationError::TextFixed);
        }
        let template = NotificationTemplate {
            r#type: kind.name.to_owned(),
            language: language.to_owned(),
            subject: new.subject,
            body: new.body,
            updated_at: Some(work.now()),
        };
        check(kind, &template)?;
        let count = work.notification_templates().count().await?;
        let before = work.notification_templates().of(kind.name).await?;
        let before = before.into_iter().find(|before| before.language == language);
        if before.is_none() && count >= MOST_TEXTS {
            return Err(NotificationError::TooManyTexts);
        }
        if let Some(same) = before.as_ref().filter(|before| same_words(before, &template)) {
            return Ok(work.commit(same.clone()).await?);
        }
        work.notification_templates().put(&template).await?;
        let change = match &before {
            Some(before) => Change::changed(before, &template),
            None => Change::created(&template),
        };
        work.record(Act {
            action: "notification_template.written".into(),
            subject: place(&template),
            change,
        });
        Ok(work.commit(template).await?)
    }

    /// Removes the organisation's own text: the library's is used again, or another language's.
    ///
    /// # Errors
    /// When there is none.
    pub async fn remove_template(
        &self,
        actor: &Actor,
        kind: &str,
        language: &str,
    ) -> Result<(), NotificationError> {
        self.manage(actor)?;
        let kind = self.kind(kind)?;
        let mut work = self.0.begin(actor).await?;
        let before = work.notification_templates().of(kind.name).await?;
        let before = before.into_iter().find(|before| before.language == language).ok_or(NO_TEXT)?;
        if !work.notification_templates().remove(kind.name, language).await? {
            return Err(NO_TEXT.into());
        }
        let change = Change::removed(&before);
        work.record(Act { action: "notification_template.removed".into(), subject: place(&before), change });
        Ok(work.commit(()).await?)
    }

    /// Shows a text with examples filled in, as a message would look. Nothing is stored or sent.
    ///
    /// # Errors
    /// When there is no such type; faulty fields.
    pub async fn preview_template(
        &self,
        actor: &Actor,
        preview: PreviewTemplate,
    ) -> Result<TemplatePreview, NotificationError> {
        self.manage(actor)?;
        let known = self.0.notification_type(&preview.r#type);
        let kind = known.ok_or_else(|| {
            CommonError::invalid("/type", "unknown-type", "there are no notifications of this type")
        })?;
        let template = NotificationTemplate {
            r#type: kind.name.to_owned(),
            language: preview.language,
            subject: preview.subject,
            body: preview.body,
            updated_at: None,
        };
        check(kind, &template)?;
        let mut tx = self.0.read(actor).await?;
        let organization = tx.organization().get().await?.map(|known| known.name).unwrap_or_default();
        let mut values: BTreeMap<&str, String> =
            kind.all_variables().map(|variable| (variable.name, variable.example.to_owned())).collect();
        values.insert("organization", organization.clone());
        let told = fill(kind, &template, &values).map_err(|(pointer, fault)| faulty(pointer, &fault))?;
        let Message { subject, text, html, .. } = channel::example(self.0, kind, organization, told);
        Ok(TemplatePreview { subject, text, html: html.unwrap_or_default() })
    }

    fn kind(&self, name: &str) -> Result<&'static NotificationType, CommonError> {
        self.0.notification_type(name).ok_or(NO_TEXT)
    }

    pub(super) fn manage(&self, actor: &Actor) -> Result<(), CommonError> {
        self.0.require(actor, Permission::NotificationManage, &Resource::organization())
    }
}

const NO_TEXT: CommonError = CommonError::NotFound { what: "text" };

fn same_words(a: &NotificationTemplate, b: &NotificationTemplate) -> bool {
    (&a.subject, &a.body) == (&b.subject, &b.body)
}

fn place(template: &NotificationTemplate) -> String {
    format!("notification-templates/{}/{}", template.r#type, template.language)
}

fn faulty(pointer: &'static str, fault: &TemplateFault) -> CommonError {
    CommonError::invalid(pointer, fault.code(), fault.to_string())
}

fn check(kind: &NotificationType, template: &NotificationTemplate) -> Result<(), CommonError> {
    let mut check = Check::new();
    check.language("/language", &template.language);
    check.text("/subject", &template.subject, 1..=200);
    check.lines("/body", &template.body, 1..=5000);
    let known = kind.known_variables();
    for (pointer, text) in [("/subject", &template.subject), ("/body", &template.body)] {
        if let Err(fault) = Template::parse(text, &known) {
            check.fault(pointer, fault.code(), fault.to_string());
        }
    }
    check.done()
}
