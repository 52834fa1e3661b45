//! Puts messages together: the same content as text and as HTML.

use crate::mail::Message;

/// In which language a message is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Language {
    /// English.
    #[default]
    English,
}

/// A message in the making: paragraphs, and things that are to stand out.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    subject: String,
    text: String,
    html: String,
    language: String,
}

impl Letter {
    pub(crate) fn new(subject: impl Into<String>) -> Self {
        Self { subject: subject.into(), text: String::new(), html: String::new(), language: "en".to_owned() }
    }

    /// The language that it is written in, as in `de`.
    pub(crate) fn in_language(mut self, tag: &str) -> Self {
        tag.clone_into(&mut self.language);
        self
    }

    /// The beginning of a part.
    pub(crate) fn heading(mut self, text: &str) -> Self {
        self.text.push_str(&format!("== {text}\n\n"));
        self.html.push_str(&format!("<h2>{}</h2>\n", escaped(text)));
        self
    }

    /// A paragraph of plain text; lines in it stay lines.
    pub(crate) fn paragraph(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self.text.push_str("\n\n");
        self.html.push_str(&format!("<p>{}</p>\n", escaped(text).replace('\n', "<br>\n")));
        self
    }

    /// A link or a code on a line of its own.
    pub(crate) fn line(mut self, line: &str) -> Self {
        self.text.push_str(line);
        self.text.push_str("\n\n");
        let shown = escaped(line);
        if line.starts_with("https://") || line.starts_with("http://") {
            self.html.push_str(&format!("<p><a href=\"{shown}\">{shown}</a></p>\n"));
        } else {
            self.html.push_str(&format!("<p><code>{shown}</code></p>\n"));
        }
        self
    }

    pub(crate) fn to(self, address: &str) -> Message {
        let html = format!(
            "<!DOCTYPE html>\n<html lang=\"{}\">\n<head><meta charset=\"utf-8\"><title>{}</title></head>\n\
             <body>\n{}</body>\n</html>\n",
            escaped(&self.language),
            escaped(&self.subject),
            self.html
        );
        let text = format!("{}\n", self.text.trim_end());
        Message {
            to: address.to_owned(),
            subject: self.subject,
            text,
            html: Some(html),
            id: None,
            unsubscribe: None,
        }
    }
}

/// Text that means nothing in HTML, also between quotes.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_markup() {
        let link = "https://hr.example.com/x#token=T0ken";
        let message = Letter::new("Hello").paragraph("<script>\"a\" & 'b'</script>").line(link).to("a@b.c");
        let html = message.html.unwrap();
        assert!(
            html.contains("<p>&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/script&gt;</p>"),
            "{html}"
        );
        assert!(html.contains(&format!("<a href=\"{link}\">{link}</a>")), "{html}");
        assert_eq!(message.text, format!("<script>\"a\" & 'b'</script>\n\n{link}\n"));
    }
}
