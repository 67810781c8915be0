//! What was filled in: bounded, read, and told what is wrong with it.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::config::{Form, FormField};

/// Bytes of a filled-in form.
pub(super) const BYTES_MAX: usize = 64 * 1024;
/// Characters of a field of one line.
const LINE_CHARS_MAX: usize = 200;
/// Characters of the message.
const MESSAGE_CHARS_MAX: usize = 5_000;
/// The field that people do not see. Who fills it in is a program.
pub(super) const TRAP: &str = "website";
/// The field that makes a form one form, however often it is sent.
pub(super) const NONCE: &str = "form_id";

/// A form as it was filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Submission {
    fields: BTreeMap<&'static str, String>,
    nonce: Option<Uuid>,
    trapped: bool,
}

/// A form with nothing wrong in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Valid {
    /// The id that the form was given with its page.
    pub(super) nonce: Uuid,
    /// Name, where given.
    pub(super) name: Option<String>,
    /// Phone number in E.164 form, where given.
    pub(super) phone: Option<String>,
    /// E-mail address, where given.
    pub(super) email: Option<String>,
    /// The message, byte for byte; empty where none was given.
    pub(super) message: String,
}

/// What is wrong with a field, in words.
pub(super) type Faults = BTreeMap<&'static str, &'static str>;

impl Submission {
    /// Reads a URL-encoded body. What the form does not ask for is not read.
    pub(super) fn read(form: &Form, body: &[u8]) -> Self {
        let mut read = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            if name == TRAP {
                read.trapped |= !value.trim().is_empty();
            } else if name == NONCE {
                read.nonce = Uuid::parse_str(&value).ok();
            } else if let Some(field) = form.fields.iter().find(|field| field.as_str() == name) {
                read.fields.insert(field.as_str(), value.into_owned());
            }
        }
        read
    }

    /// True where the field was filled in that people do not see.
    pub(super) fn is_trapped(&self) -> bool {
        self.trapped
    }

    /// The id that the form has on its page: the one it came with, so that it stays one form.
    pub(super) fn nonce(&self) -> Uuid {
        self.nonce.unwrap_or_else(Uuid::now_v7)
    }

    /// What was written into a field.
    pub(super) fn value(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    /// Checks every field; all that is wrong is told at once.
    pub(super) fn check(&self, form: &Form) -> Result<Valid, Faults> {
        let mut faults = Faults::new();
        for field in &form.fields {
            let name = field.as_str();
            let chars = self.value(name).chars().count();
            let most = match field {
                FormField::Message => MESSAGE_CHARS_MAX,
                _ => LINE_CHARS_MAX,
            };
            if chars > most {
                faults.insert(name, "This is too long.");
            } else if form.required.contains(field) && self.value(name).trim().is_empty() {
                faults.insert(name, "Please fill this in.");
            }
        }
        let mut line = |name: &'static str, read: fn(&str) -> Option<String>, wrong| {
            let value = self.value(name).trim();
            let read = (!value.is_empty()).then(|| read(value));
            if read == Some(None) {
                faults.entry(name).or_insert(wrong);
            }
            read.flatten()
        };
        let phone = line(
            "phone",
            phone,
            "Please write the number with its country code, such as +49 30 123456.",
        );
        let email = line("email", email, "This is not an e-mail address.");
        let name = line("name", |name| Some(name.to_owned()), "");
        if phone.is_none() && email.is_none() && faults.is_empty() {
            let field = if form.fields.contains(&FormField::Phone) {
                "phone"
            } else {
                "email"
            };
            faults.insert(field, "How can we reach you?");
        }
        let valid = Valid {
            // A page without its own id is still one form; only sending it twice makes two.
            nonce: self.nonce(),
            name,
            phone,
            email,
            message: self.value("message").to_owned(),
        };
        if faults.is_empty() {
            Ok(valid)
        } else {
            Err(faults)
        }
    }
}

/// A number as people write it, in E.164 form.
fn phone(text: &str) -> Option<String> {
    let plain: String = text
        .chars()
        .filter(|c| !" \u{a0}-./()".contains(*c))
        .collect();
    let digits = plain
        .strip_prefix('+')
        .or_else(|| plain.strip_prefix("00"))?;
    let is_number = (7..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    is_number.then(|| format!("+{digits}"))
}

/// An address with one `@` and a name on both sides, in lower case.
fn email(text: &str) -> Option<String> {
    let (local, domain) = text.split_once('@')?;
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>\"(),;:\\@".contains(c);
    let is_address = !local.is_empty()
        && domain.contains('.')
        && !domain.starts_with('.')
        && !domain.ends_with('.')
        && text.len() <= 254
        && local.chars().chain(domain.chars()).all(is_plain);
    is_address.then(|| text.to_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(body: &str) -> Result<Valid, Faults> {
        let form = Form::default();
        Submission::read(&form, body.as_bytes()).check(&form)
    }

    #[test]
    fn a_form_is_read_as_people_write() {
        let valid = check(
            "name=+Ada+&phone=%2B49+(30)+123-456&email=Ada%40Example.ORG&message=hello%0D%0A&admin=1",
        )
        .expect("a good form");
        assert_eq!(valid.name.as_deref(), Some("Ada"));
        assert_eq!(valid.phone.as_deref(), Some("+4930123456"));
        assert_eq!(valid.email.as_deref(), Some("ada@example.org"));
        assert_eq!(valid.message, "hello\r\n");
    }

    #[test]
    fn everything_wrong_is_told() {
        let faults = |body: &str| check(body).expect_err(body).into_keys().collect::<Vec<_>>();
        assert_eq!(faults(""), ["message"]);
        assert_eq!(faults("message=hi"), ["phone"]);
        assert_eq!(
            faults("phone=030+123456&email=nobody"),
            ["email", "message", "phone"]
        );
        let long = format!("email=a%40b.c&message={}", "x".repeat(5_001));
        assert_eq!(faults(&long), ["message"]);
        for wrong in ["a%40b", "a b%40c.d", "%40b.c", "a%40b.c%0Abcc:x%40y.z"] {
            let body = format!("message=x&email={wrong}");
            assert_eq!(faults(&body), ["email"], "{wrong}");
        }
    }

    #[test]
    fn programs_fill_in_what_people_do_not_see() {
        let form = Form::default();
        assert!(Submission::read(&form, b"website=x&message=hi").is_trapped());
        assert!(!Submission::read(&form, b"website=&message=hi").is_trapped());
    }

    proptest! {
        #[test]
        fn whatever_is_sent_is_read(body in proptest::collection::vec(any::<u8>(), 0..400)) {
            let form = Form::default();
            let _ = Submission::read(&form, &body).check(&form);
        }

        #[test]
        fn a_number_that_is_taken_is_one(text in "[+0-9 ()./-]{0,24}") {
            if let Some(number) = phone(&text) {
                prop_assert!(number.starts_with('+') && (8..=16).contains(&number.len()));
                prop_assert_eq!(phone(&number), Some(number.clone()));
            }
        }
    }
}
