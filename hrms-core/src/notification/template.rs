//! Texts with variables: the part of Mustache that has no logic.
//!
//! `{{name}}` is a value; `{{#name}}…{{/name}}` shows what is between if there is such a value, `{{^name}}…{{/name}}` if there
//! is none. Which names there are is known beforehand, so a text that names others is refused when it is written and
//! not when it should be sent. (The template engines that are there either run logic that an organisation would
//! have written, or let unknown names pass as nothing.)

use std::fmt;

/// How deep sections can lie in each other.
const DEPTH: usize = 4;

/// A text that was read, ready to be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Node>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Text(String),
    Value(String),
    /// Shown when there is such a value, or when there is none.
    Section {
        name: String,
        present: bool,
        inner: Vec<Node>,
    },
}

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateFault {
    /// `{{` without `}}`.
    Unfinished,
    /// There is no such variable.
    Unknown(String),
    /// A section that isn't closed, or not by its own name.
    Unclosed(String),
    /// The end of a section that wasn't opened.
    Unopened(String),
    /// Too many sections in each other.
    TooDeep,
}

impl TemplateFault {
    /// The stable name, as in `unknown-variable`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unfinished => "unfinished-variable",
            Self::Unknown(_) => "unknown-variable",
            Self::Unclosed(_) => "unclosed-section",
            Self::Unopened(_) => "unopened-section",
            Self::TooDeep => "too-deep",
        }
    }
}

impl fmt::Display for TemplateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unfinished => f.write_str("a {{ has no }}"),
            Self::Unknown(name) => write!(f, "there is no variable {name:?} here"),
            Self::Unclosed(name) => write!(f, "the section {name:?} isn't closed"),
            Self::Unopened(name) => write!(f, "the section {name:?} is closed but wasn't opened"),
            Self::TooDeep => write!(f, "sections can lie {DEPTH} deep in each other"),
        }
    }
}

impl Template {
    /// Reads a text whose variables are among `known`.
    ///
    /// # Errors
    /// [`TemplateFault`].
    pub fn parse(text: &str, known: &[&str]) -> Result<Self, TemplateFault> {
        // The section at hand is last; what is around it waits before it.
        let mut open: Vec<(String, bool, Vec<Node>)> = Vec::new();
        let mut nodes = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("{{") {
            push_text(&mut nodes, before);
            let (tag, behind) = behind.split_once("}}").ok_or(TemplateFault::Unfinished)?;
            rest = behind;
            let tag = tag.trim();
            let (sign, name) = match tag.split_at_checked(1) {
                Some((sign @ ("#" | "^" | "/"), name)) => (sign, name.trim()),
                _ => ("", tag),
            };
            if !known.contains(&name) {
                return Err(TemplateFault::Unknown(name.to_owned()));
            }
            match sign {
                "" => nodes.push(Node::Value(name.to_owned())),
                "/" => match open.pop() {
                    Some((opened, present, outer)) if opened == name => {
                        let inner = std::mem::replace(&mut nodes, outer);
                        nodes.push(Node::Section { name: opened, present, inner });
                    }
                    Some((opened, ..)) => return Err(TemplateFault::Unclosed(opened)),
                    None => return Err(TemplateFault::Unopened(name.to_owned())),
                },
                sign => {
                    if open.len() == DEPTH {
                        return Err(TemplateFault::TooDeep);
                    }
                    open.push((name.to_owned(), sign == "#", std::mem::take(&mut nodes)));
                }
            }
        }
        push_text(&mut nodes, rest);
        match open.pop() {
            Some((opened, ..)) => Err(TemplateFault::Unclosed(opened)),
            None => Ok(Self(nodes)),
        }
    }

    /// Fills in values. An empty one counts as none.
    #[must_use]
    pub fn render<'v>(&self, value: &dyn Fn(&str) -> Option<&'v str>) -> String {
        let mut text = String::new();
        render(&self.0, value, &mut text);
        text
    }
}

fn push_text(nodes: &mut Vec<Node>, text: &str) {
    if !text.is_empty() {
        nodes.push(Node::Text(text.to_owned()));
    }
}

fn render<'v>(nodes: &[Node], value: &dyn Fn(&str) -> Option<&'v str>, into: &mut String) {
    let some = |name: &str| value(name).filter(|value| !value.is_empty());
    for node in nodes {
        match node {
            Node::Text(text) => into.push_str(text),
            Node::Value(name) => into.push_str(some(name).unwrap_or_default()),
            Node::Section { name, present, inner } if some(name).is_some() == *present => {
                render(inner, value, into);
            }
            Node::Section { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KNOWN: &[&str] = &["name", "note", "empty"];

    fn value(name: &str) -> Option<&'static str> {
        match name {
            "name" => Some("<Asha> {{note}}"),
            "note" => Some("enjoy"),
            "empty" => Some(""),
            _ => None,
        }
    }

    fn filled(text: &str) -> String {
        Template::parse(text, KNOWN).unwrap().render(&value)
    }

    #[test]
    fn values_are_filled_in_once() {
        assert_eq!(filled("Hello {{ name }}!"), "Hello <Asha> {{note}}!");
        assert_eq!(filled("{{name}}{{note}}"), "<Asha> {{note}}enjoy");
        assert_eq!(filled("} } }} { {"), "} } }} { {");
        assert_eq!(filled("[{{empty}}]"), "[]");
    }

    #[test]
    fn sections_show_what_there_is() {
        assert_eq!(filled("a{{#note}} ({{note}}){{/note}}{{^note}} -{{/note}}"), "a (enjoy)");
        assert_eq!(filled("a{{#empty}} b{{/empty}}{{^empty}} c{{/empty}}"), "a c");
        assert_eq!(filled("{{#note}}{{^empty}}x{{/empty}}y{{/note}}z"), "xyz");
    }

    #[test]
    fn faults_are_named() {
        let fault = |text: &str| Template::parse(text, KNOWN).unwrap_err();
        assert_eq!(fault("{{name"), TemplateFault::Unfinished);
        assert_eq!(fault("{{salary}}"), TemplateFault::Unknown("salary".into()));
        assert_eq!(fault("{{}}"), TemplateFault::Unknown(String::new()));
        assert_eq!(fault("{{{name}}}"), TemplateFault::Unknown("{name".into()));
        assert_eq!(fault("{{> name}}"), TemplateFault::Unknown("> name".into()));
        assert_eq!(fault("{{#name}}"), TemplateFault::Unclosed("name".into()));
        assert_eq!(fault("{{#name}}{{/note}}"), TemplateFault::Unclosed("name".into()));
        assert_eq!(fault("{{/name}}"), TemplateFault::Unopened("name".into()));
        assert_eq!(fault(&"{{#name}}".repeat(5)), TemplateFault::TooDeep);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(\\{\\{[#^/]?(name|note|x)?\\}\\}|[a-z{} é]){0,40}") {
            if let Ok(template) = Template::parse(&text, KNOWN) {
                prop_assert!(!template.render(&value).contains("{{#"));
            }
        }

        #[test]
        fn text_without_braces_stays(text in "[^{}]*") {
            prop_assert_eq!(filled(&text), text);
        }
    }
}
