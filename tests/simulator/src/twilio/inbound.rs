//! Incoming messages with the parameters Twilio sends (its "request to your incoming message Webhook
//! URL").

use super::account::random_sid;

/// How the webhook is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// A form, the default.
    Post,
    /// Parameters in the query.
    Get,
}

/// An incoming message. The same value delivered twice is a duplicate: it keeps its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundSms {
    /// The phone's address, `+15005550101` or `whatsapp:+15005550101`.
    pub from: String,
    /// The account's number, in the same form.
    pub to: String,
    /// The text.
    pub body: String,
    /// `SM` (`MM` with media) and 32 hexadecimal digits; random.
    pub message_sid: String,
    /// Addresses and content types of media.
    pub media: Vec<(String, String)>,
    /// More parameters; names may repeat.
    pub extra: Vec<(String, String)>,
    /// How the webhook is called.
    pub method: Method,
}

impl InboundSms {
    /// A text message with a fresh id. A `whatsapp:` sender brings `ProfileName` and `WaId`.
    pub fn text(from: &str, to: &str, body: &str) -> Self {
        let mut extra = Vec::new();
        if let Some(number) = from.strip_prefix("whatsapp:") {
            let digits = number.trim_start_matches('+');
            extra.push(("ProfileName".to_owned(), "Ada".to_owned()));
            extra.push(("WaId".to_owned(), digits.to_owned()));
        }
        Self {
            from: from.to_owned(),
            to: to.to_owned(),
            body: body.to_owned(),
            message_sid: random_sid("SM"),
            media: Vec::new(),
            extra,
            method: Method::Post,
        }
    }

    /// Adds a media item; the id becomes an `MM` one.
    #[must_use]
    pub fn with_media(mut self, url: &str, content_type: &str) -> Self {
        self.message_sid.replace_range(..2, "MM");
        self.media.push((url.to_owned(), content_type.to_owned()));
        self
    }

    /// Adds a parameter.
    #[must_use]
    pub fn with_param(mut self, name: &str, value: &str) -> Self {
        self.extra.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Makes it a reply button that was pressed.
    #[must_use]
    pub fn with_button(self, payload: &str, text: &str) -> Self {
        self.with_param("ButtonPayload", payload)
            .with_param("ButtonText", text)
            .with_param("ButtonType", "REPLY")
    }

    /// Makes it an entry of a list that was chosen.
    #[must_use]
    pub fn with_list(self, id: &str, title: &str) -> Self {
        self.with_param("ListId", id)
            .with_param("ListTitle", title)
            .with_param("MessageType", "interactive")
    }

    /// Has the webhook called by GET.
    #[must_use]
    pub fn by_get(mut self) -> Self {
        self.method = Method::Get;
        self
    }

    /// The webhook's parameters for an account, in the order they are sent.
    pub fn params(&self, account_sid: &str) -> Vec<(String, String)> {
        let mut params: Vec<(String, String)> = [
            ("ToCountry", "US"),
            ("ToState", ""),
            ("SmsMessageSid", &self.message_sid),
            ("NumMedia", &self.media.len().to_string()),
            ("SmsSid", &self.message_sid),
            ("SmsStatus", "received"),
            ("FromCountry", "US"),
            ("Body", &self.body),
            ("To", &self.to),
            ("NumSegments", "1"),
            ("MessageSid", &self.message_sid),
            ("AccountSid", account_sid),
            ("From", &self.from),
            ("ApiVersion", "2010-04-01"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        for (index, (url, content_type)) in self.media.iter().enumerate() {
            params.push((format!("MediaUrl{index}"), url.clone()));
            params.push((format!("MediaContentType{index}"), content_type.clone()));
        }
        params.extend(self.extra.iter().cloned());
        params
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn param<'a>(params: &'a [(String, String)], name: &str) -> Option<&'a str> {
        let found = params.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    #[test]
    fn whatsapp_brings_its_profile() {
        let sms = InboundSms::text("whatsapp:+15005550101", "whatsapp:+15550100", "Hi");
        let params = sms.params("AC1");
        assert_eq!(param(&params, "WaId"), Some("15005550101"));
        assert_eq!(param(&params, "ProfileName"), Some("Ada"));
        let sms = InboundSms::text("+15005550101", "+15550100", "Hi");
        assert_eq!(param(&sms.params("AC1"), "WaId"), None);
    }

    #[test]
    fn media_is_numbered_from_zero() {
        let sms = InboundSms::text("+15005550101", "+15550100", "")
            .with_media("https://x/1", "image/png")
            .with_media("https://x/2", "image/gif");
        let params = sms.params("AC1");
        assert!(sms.message_sid.starts_with("MM") && sms.message_sid.len() == 34);
        assert_eq!(param(&params, "NumMedia"), Some("2"));
        assert_eq!(param(&params, "MediaUrl1"), Some("https://x/2"));
        assert_eq!(param(&params, "MediaContentType0"), Some("image/png"));
    }
}
