//! Types of notifications: what people are told, in which words, and by which ways unless they say otherwise.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::employment::coded;

coded! {
    /// When something is sent by a channel.
    Mode {
        /// As soon as it happens, outside quiet hours.
        Immediate = "immediate",
        /// Gathered, and sent once a day.
        Digest = "digest",
        /// Not at all.
        Off = "off",
    }
}

/// A type of notification.
#[derive(Clone, Copy)]
pub struct NotificationType {
    /// The type's name, as in `leave_request.approved`.
    pub name: &'static str,
    /// When somebody is told, in a sentence.
    pub about: &'static str,
    /// Whether it is about the security of somebody's account or money: it can't be turned off, waits for
    /// no quiet hours, and is told also to whoever caused it.
    pub security: bool,
    /// What is done by every channel but the inbox unless somebody says otherwise.
    pub default: Mode,
    /// What its texts can name.
    pub variables: &'static [Variable],
    /// Its texts by language. English must be there.
    pub texts: &'static [(&'static str, Text)],
}

impl fmt::Debug for NotificationType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NotificationType").field(&self.name).finish()
    }
}

/// A value that texts can name.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Variable {
    /// Its name.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub name: &'static str,
    /// An example, which previews show. Dates are written as the language does.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub example: &'static str,
    /// Whether it is a date.
    pub date: bool,
}

/// The words of a notification: templates, see [`Template`](super::Template).
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// One line: the subject of a message, the heading in the inbox.
    pub subject: &'static str,
    /// The rest. An empty line begins a paragraph.
    pub body: &'static str,
}

/// What every text can name.
pub const COMMON_VARIABLES: &[Variable] =
    &[text("organization", "Lotus Mills"), text("recipient", "Asha Rao")];

const fn text(name: &'static str, example: &'static str) -> Variable {
    Variable { name, example, date: false }
}

const fn date(name: &'static str, example: &'static str) -> Variable {
    Variable { name, example, date: true }
}

const LEAVE: &[Variable] = &[
    text("employee", "Ravi Kumar"),
    text("leave_type", "Annual leave"),
    date("starts_on", "2026-12-21"),
    date("ends_on", "2026-12-23"),
    text("days", "3"),
];

const WAITING: &[Variable] =
    &[text("employee", "Ravi Kumar"), text("leave_type", "Annual leave"), text("days", "3")];

const CLAIM: &[Variable] = &[
    text("employee", "Ravi Kumar"),
    text("leave_type", "Compensatory leave"),
    text("days", "1"),
    date("worked_on", "2026-12-20"),
    text("paid_out", "5"),
];

const DECIDED_CLAIM: &[Variable] = &[
    text("employee", "Ravi Kumar"),
    text("leave_type", "Compensatory leave"),
    text("days", "1"),
    date("worked_on", "2026-12-20"),
    text("paid_out", "5"),
    text("decided_by", "Meera Iyer"),
    text("note", "Thank you!"),
];

const DECIDED_LEAVE: &[Variable] = &[
    text("employee", "Ravi Kumar"),
    text("leave_type", "Annual leave"),
    date("starts_on", "2026-12-21"),
    date("ends_on", "2026-12-23"),
    text("days", "3"),
    text("decided_by", "Meera Iyer"),
    text("note", "Enjoy!"),
];

const RECOUNTED_LEAVE: &[Variable] = &[
    text("employee", "Ravi Kumar"),
    text("leave_type", "Annual leave"),
    date("starts_on", "2026-12-21"),
    date("ends_on", "2026-12-23"),
    text("days", "2"),
    text("days_before", "3"),
    text("holidays", "Winter solstice"),
];

/// Every type that this library tells people of, in order of their names.
pub const NOTIFICATION_TYPES: &[NotificationType] = &[
    NotificationType {
        name: "approval.reminder",
        about: "A request for leave, or a claim, has waited for your decision for long.",
        security: false,
        default: Mode::Immediate,
        variables: WAITING,
        texts: &[
            (
                "de",
                Text {
                    subject: "Erinnerung: {{employee}} wartet auf Ihre Entscheidung ({{leave_type}})",
                    body: "{{employee}} hat {{leave_type}} (Tage: {{days}}) beantragt und wartet auf Ihre Entscheidung.",
                },
            ),
            (
                "en",
                Text {
                    subject: "Reminder: {{employee}} waits for your decision ({{leave_type}})",
                    body: "{{employee}} asked for {{leave_type}} (days: {{days}}) and waits for your decision.",
                },
            ),
        ],
    },
    NotificationType {
        name: "bank_details.changed",
        about: "Your bank details were changed.",
        security: true,
        default: Mode::Immediate,
        variables: &[],
        texts: &[
            (
                "de",
                Text {
                    subject: "Ihre Bankverbindung wurde geändert",
                    body: "Ihre Bankverbindung bei {{organization}} wurde geändert. Wenn Sie das nicht veranlasst haben, wenden \
                           Sie sich sofort an Ihre Personalabteilung.",
                },
            ),
            (
                "en",
                Text {
                    subject: "Your bank details were changed",
                    body: "Your bank details at {{organization}} were changed. If you didn't ask for this, tell your HR \
                           department at once.",
                },
            ),
        ],
    },
    NotificationType {
        name: "import.finished",
        about: "An import that you asked for has ended.",
        security: false,
        default: Mode::Immediate,
        variables: &[
            text("kind", "employees"),
            text("file", "people.csv"),
            text("imported", "1204"),
            text("refused", "3"),
        ],
        texts: &[
            (
                "de",
                Text {
                    subject: "Ihr Import ist fertig",
                    body: "Der Import von {{kind}}{{#file}} aus {{file}}{{/file}} ist fertig: {{imported}} Zeilen \
                           übernommen{{#refused}}, {{refused}} abgelehnt{{/refused}}.",
                },
            ),
            (
                "en",
                Text {
                    subject: "Your import has ended",
                    body: "The import of {{kind}}{{#file}} from {{file}}{{/file}} has ended: {{imported}} rows taken\
                           {{#refused}}, {{refused}} refused{{/refused}}.",
                },
            ),
        ],
    },
    NotificationType {
        name: "invitation.accepted",
        about: "Somebody whom you invited has accepted.",
        security: false,
        default: Mode::Immediate,
        variables: &[text("name", "Ravi Kumar"), text("email", "ravi@example.com")],
        texts: &[
            (
                "de",
                Text {
                    subject: "{{name}} hat Ihre Einladung angenommen",
                    body: "{{name}} ({{email}}) kann sich jetzt bei {{organization}} anmelden.",
                },
            ),
            (
                "en",
                Text {
                    subject: "{{name}} accepted your invitation",
                    body: "{{name}} ({{email}}) can log in at {{organization}} now.",
                },
            ),
        ],
    },
    NotificationType {
        name: "leave_claim.approved",
        about: "Your claim for compensatory leave, or to be paid out leave, was approved.",
        security: false,
        default: Mode::Immediate,
        variables: DECIDED_CLAIM,
        texts: &[
            (
                "de",
                Text {
                    subject: "Ihr Antrag wurde genehmigt: {{leave_type}}",
                    body: "Genehmigt\
                           {{#decided_by}} von {{decided_by}}{{/decided_by}}: {{#worked_on}}{{leave_type}} für Arbeit am {{worked_on}} (Tage: {{days}}){{/worked_on}}\
                           {{#paid_out}}die Auszahlung von {{paid_out}} Tagen {{leave_type}}{{/paid_out}}.{{#note}}\n\nAnmerkung: {{note}}{{/note}}",
                },
            ),
            (
                "en",
                Text {
                    subject: "Your claim was approved: {{leave_type}}",
                    body: "Approved\
                           {{#decided_by}} by {{decided_by}}{{/decided_by}}: {{#worked_on}}{{leave_type}} for work on {{worked_on}} (days: {{days}}){{/worked_on}}\
                           {{#paid_out}}paying out {{paid_out}} days of {{leave_type}}{{/paid_out}}.{{#note}}\n\nNote: {{note}}{{/note}}",
                },
            ),
        ],
    },
    NotificationType {
        name: "leave_claim.cancelled",
        about: "A claim that you decide on, or one of yours, was taken back.",
        security: false,
        default: Mode::Immediate,
        variables: CLAIM,
        texts: &[
            (
                "de",
                Text {
                    subject: "Antrag zurückgenommen: {{employee}}, {{leave_type}}",
                    body: "Zurückgenommen für {{employee}}: {{#worked_on}}{{leave_type}} für Arbeit am {{worked_on}} (Tage: {{days}}){{/worked_on}}\
                           {{#paid_out}}die Auszahlung von {{paid_out}} Tagen {{leave_type}}{{/paid_out}}.",
                },
            ),
            (
                "en",
                Text {
                    subject: "Claim taken back: {{employee}}, {{leave_type}}",
                    body: "Taken back for {{employee}}: {{#worked_on}}{{leave_type}} for work on {{worked_on}} (days: {{days}}){{/worked_on}}\
                           {{#paid_out}}paying out {{paid_out}} days of {{leave_type}}{{/paid_out}}.",
                },
            ),
        ],
    },
    NotificationType {
        name: "leave_claim.rejected",
        about: "Your claim for compensatory leave, or to be paid out leave, was rejected.",
        security: false,
        default: Mode::Immediate,
        variables: DECIDED_CLAIM,
        texts: &[
            (
                "de",
                Text {
                    subject: "Ihr Antrag wurde abgelehnt: {{leave_type}}",
                    body: "Abgelehnt\
                           {{#decided_by}} von {{decided_by}}{{/decided_by}}: {{#worked_on}}{{leave_type}} für Arbeit am {{worked_on}} (Tage: {{days}}){{/worked_on}}\
                           {{#paid_out}}die Auszahlung von {{paid_out}} Tagen {{leave_type}}{{/paid_out}}.{{#note}}\n\nAnmerkung: {{note}}{{/note}}",
                },
            ),
            (
                "en",
                Text {
                    subject: "Your claim was rejected: {{leave_type}}",
                    body: "Rejected\
                           {{#decided_by}} by {{decided_by}}{{/decided_by}}: {{#worked_on}}{{leave_type}} for work on {{worked_on}} (days: {{days}}){{/worked_on}}\
                           {{#paid_out}}paying out {{paid_out}} days of {{leave_type}}{{/paid_out}}.{{#note}}\n\nNote: {{note}}{{/note}}",
                },
            ),
        ],
    },
    NotificationType {
        name: "leave_claim.submitted",
        about: "Somebody claims compensatory leave, or to be paid out leave, and you decide on it.",
        security: false,
        default: Mode::Immediate,
        variables: CLAIM,
        texts: &[
            (
                "de",
                Text {
                    subject: "{{employee}} stellt einen Antrag: {{leave_type}}",
                    body: "{{employee}} beantragt {{#worked_on}}{{leave_type}} für Arbeit am {{worked_on}} (Tage: {{days}}){{/worked_on}}\
                           {{#paid_out}}die Auszahlung von {{paid_out}} Tagen {{leave_type}}{{/paid_out}}.",
                },
            ),
            (
                "en",
                Text {
                    subject: "{{employee}} has a claim: {{leave_type}}",
                    body: "{{employee}} asks for {{#worked_on}}{{leave_type}} for work on {{worked_on}} (days: {{days}}){{/worked_on}}\
                           {{#paid_out}}paying out {{paid_out}} days of {{leave_type}}{{/paid_out}}.",
                },
            ),
        ],
    },
    NotificationType {
        name: "leave_request.approved",
        about: "Your request for leave was approved.",
        security: false,
        default: Mode::Immediate,
        variables: DECIDED_LEAVE,
        texts: &[
            (
                "de",
                Text {
                    subject: "Ihr Urlaub wurde genehmigt: {{leave_type}}, {{starts_on}}",
                    body: "{{leave_type}} vom {{starts_on}} bis {{ends_on}} (Tage: {{days}}) wurde genehmigt\
                           {{#decided_by}} von {{decided_by}}{{/decided_by}}.{{#note}}\n\nAnmerkung: {{note}}{{/note}}",
                },
            ),
            (
                "en",
                Text {
                    subject: "Your leave was approved: {{leave_type}}, {{starts_on}}",
                    body: "{{leave_type}} from {{starts_on}} to {{ends_on}} (days: {{days}}) was approved\
                           {{#decided_by}} by {{decided_by}}{{/decided_by}}.{{#note}}\n\nNote: {{note}}{{/note}}",
                },
            ),
        ],
    },
    NotificationType {
        name: "leave_request.cancelled",
        about: "A request for leave that you decide on, or one of yours, was cancelled.",
        security: false,
        default: Mode::Immediate,
        variables: LEAVE,
        texts: &[
            (
                "de",
                Text {
                    subject: "Urlaub abgesagt: {{employee}}, {{starts_on}}",
                    body: "{{leave_type}} von {{employee}} vom {{starts_on}} bis {{ends_on}} wurde abgesagt.",
                },
            ),
            (
                "en",
                Text {
                    subject: "Leave cancelled: {{employee}}, {{starts_on}}",
                    body: "{{leave_type}} of {{employee}} from {{starts_on}} to {{ends_on}} was cancelled.",
                },
            ),
        ],
    },
    NotificationType {
        name: "leave_request.recounted",
        about: "A request for leave of yours, or one that you decide on, takes another number of days than before.",
        security: false,
        default: Mode::Immediate,
        variables: RECOUNTED_LEAVE,
        texts: &[
            (
                "de",
                Text {
                    subject: "Urlaub neu gezählt: {{employee}}, {{leave_type}}, {{starts_on}}",
                    body: "{{leave_type}} von {{employee}} vom {{starts_on}} bis {{ends_on}} braucht jetzt {{days}} Tage statt \
                           {{days_before}}, weil sich die Arbeitstage dieser Zeit geändert haben.{{#holidays}}\n\n\
                           Feiertage: {{holidays}}{{/holidays}}",
                },
            ),
            (
                "en",
                Text {
                    subject: "Leave counted anew: {{employee}}, {{leave_type}}, {{starts_on}}",
                    body: "{{leave_type}} of {{employee}} from {{starts_on}} to {{ends_on}} takes {{days}} days now instead of \
                           {{days_before}}, because the working days of this time have changed.{{#holidays}}\n\n\
                           Holidays: {{holidays}}{{/holidays}}",
                },
            ),
        ],
    },
    NotificationType {
        name: "leave_request.rejected",
        about: "Your request for leave was rejected.",
        security: false,
        default: Mode::Immediate,
        variables: DECIDED_LEAVE,
        texts: &[
            (
                "de",
                Text {
                    subject: "Ihr Urlaub wurde abgelehnt: {{leave_type}}, {{starts_on}}",
                    body: "{{leave_type}} vom {{starts_on}} bis {{ends_on}} (Tage: {{days}}) wurde abgelehnt\
                           {{#decided_by}} von {{decided_by}}{{/decided_by}}.{{#note}}\n\nAnmerkung: {{note}}{{/note}}",
                },
            ),
            (
                "en",
                Text {
                    subject: "Your leave was rejected: {{leave_type}}, {{starts_on}}",
                    body: "{{leave_type}} from {{starts_on}} to {{ends_on}} (days: {{days}}) was rejected\
                           {{#decided_by}} by {{decided_by}}{{/decided_by}}.{{#note}}\n\nNote: {{note}}{{/note}}",
                },
            ),
        ],
    },
    NotificationType {
        name: "leave_request.shortened",
        about: "Days of approved leave that you decide on, or of yours, were given up.",
        security: false,
        default: Mode::Immediate,
        variables: LEAVE,
        texts: &[
            (
                "de",
                Text {
                    subject: "Urlaub verkürzt: {{employee}}, {{starts_on}}",
                    body: "{{leave_type}} von {{employee}} geht jetzt vom {{starts_on}} bis {{ends_on}} (Tage: {{days}}).",
                },
            ),
            (
                "en",
                Text {
                    subject: "Leave shortened: {{employee}}, {{starts_on}}",
                    body: "{{leave_type}} of {{employee}} is from {{starts_on}} to {{ends_on}} now (days: {{days}}).",
                },
            ),
        ],
    },
    NotificationType {
        name: "leave_request.submitted",
        about: "Somebody asks for leave, and you decide on it.",
        security: false,
        default: Mode::Immediate,
        variables: LEAVE,
        texts: &[
            (
                "de",
                Text {
                    subject: "{{employee}} bittet um Urlaub: {{leave_type}}, {{starts_on}}",
                    body: "{{employee}} bittet um {{leave_type}} vom {{starts_on}} bis {{ends_on}} (Tage: {{days}}).",
                },
            ),
            (
                "en",
                Text {
                    subject: "{{employee}} asks for leave: {{leave_type}}, {{starts_on}}",
                    body: "{{employee}} asks for {{leave_type}} from {{starts_on}} to {{ends_on}} (days: {{days}}).",
                },
            ),
        ],
    },
    NotificationType {
        name: "support_access.started",
        about: "An operator of the service began to act inside the organisation.",
        security: true,
        default: Mode::Immediate,
        variables: &[text("operator", "Kim of the service"), text("reason", "Ticket 4711")],
        texts: &[
            (
                "de",
                Text {
                    subject: "Der Support arbeitet bei {{organization}}",
                    body: "{{operator}} vom Betreiber des Dienstes hat Zugriff auf {{organization}}. Grund: {{reason}}",
                },
            ),
            (
                "en",
                Text {
                    subject: "Support acts inside {{organization}}",
                    body: "{{operator}}, an operator of the service, has access to {{organization}}. The reason: {{reason}}",
                },
            ),
        ],
    },
    NotificationType {
        name: "user.second-factor-reset",
        about: "Your second factor was removed by somebody else.",
        security: true,
        default: Mode::Immediate,
        variables: &[],
        texts: &[
            (
                "de",
                Text {
                    subject: "Ihr zweiter Faktor wurde entfernt",
                    body: "Der zweite Faktor Ihrer Anmeldung wurde bei {{organization}} entfernt. Wenn Sie nicht darum gebeten \
                           haben, wenden Sie sich sofort an Ihre Administratoren.",
                },
            ),
            (
                "en",
                Text {
                    subject: "Your second factor was removed",
                    body: "The second factor of your log-in was removed at {{organization}}. If you didn't ask for this, tell \
                           your administrators at once.",
                },
            ),
        ],
    },
    NotificationType {
        name: "webhook.disabled",
        about: "A webhook was disabled because its endpoint is gone or doesn't work.",
        security: false,
        default: Mode::Immediate,
        variables: &[text("url", "https://example.com/hook"), text("reason", "failing")],
        texts: &[
            (
                "de",
                Text {
                    subject: "Ein Webhook wurde abgeschaltet",
                    body: "An {{url}} wird nichts mehr gesendet ({{reason}}). Was inzwischen geschieht, wird nicht nachgesendet.",
                },
            ),
            (
                "en",
                Text {
                    subject: "A webhook was disabled",
                    body: "Nothing is sent to {{url}} any more ({{reason}}). What happens meanwhile isn't sent later.",
                },
            ),
        ],
    },
];

impl NotificationType {
    /// The names that its texts can use.
    #[must_use]
    pub fn known_variables(&self) -> Vec<&'static str> {
        self.all_variables().map(|variable| variable.name).collect()
    }

    /// Every variable of its texts.
    pub fn all_variables(&self) -> impl Iterator<Item = &'static Variable> {
        self.variables.iter().chain(COMMON_VARIABLES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notification::Template;

    #[test]
    fn every_text_can_be_filled_in() {
        assert!(NOTIFICATION_TYPES.is_sorted_by(|a, b| a.name < b.name));
        for kind in NOTIFICATION_TYPES {
            let known = kind.known_variables();
            let languages: Vec<&str> = kind.texts.iter().map(|(language, _)| *language).collect();
            assert_eq!(languages, ["de", "en"], "{}", kind.name);
            let example = |name: &str| {
                kind.all_variables().find(|variable| variable.name == name).map(|variable| variable.example)
            };
            for (language, text) in kind.texts {
                for part in [text.subject, text.body] {
                    let filled = Template::parse(part, &known).unwrap().render(&example);
                    assert!(
                        !filled.contains("{{") && !filled.contains("  "),
                        "{} {language}: {filled}",
                        kind.name
                    );
                }
                assert!(!text.subject.contains('\n'));
            }
        }
    }
}
