//! Media: the bytes themselves, or a redirect to a file store that refuses foreign credentials.

use super::Twilio;
use super::account::{Account, Media};
use crate::recorded::RecordedRequest;
use crate::reply::{Incoming, Reply};

/// The file `media_sid` of message `message_sid`.
pub(super) fn find<'a>(
    account: &'a Account,
    message_sid: &str,
    media_sid: &str,
) -> Option<&'a Media> {
    let media = account.media.get(media_sid)?;
    (media.message_sid == message_sid).then_some(media)
}

/// The answer to a request with the account's credentials.
pub(super) fn reply(account: &Account, media_base: &str, media_sid: &str) -> Option<Reply> {
    let media = account.media.get(media_sid)?;
    if account.media_redirect {
        let target = format!("{media_base}/{}/{media_sid}", account.sid);
        return Some(Reply::text(307, "").with_header("location", target));
    }
    Some(file(media))
}

fn file(media: &Media) -> Reply {
    Reply::Answer {
        status: 200,
        headers: vec![("content-type", media.content_type.clone())],
        body: media.bytes.clone(),
    }
}

impl Twilio {
    /// The file store. As stores with signed addresses do, it refuses an `Authorization` header,
    /// which a client must not carry over to another origin.
    pub(crate) fn serve_media_origin(&self, incoming: &Incoming) -> Reply {
        let leaked = incoming.header("authorization").is_some();
        let problem =
            leaked.then(|| "`Authorization` was carried over to another origin".to_owned());
        self.inner.requests.push(|| RecordedRequest {
            method: incoming.method.clone(),
            path: incoming.path.clone(),
            headers: incoming.headers.clone(),
            params: Vec::new(),
            problem,
        });
        if leaked {
            return Reply::text(400, "Only one auth mechanism allowed");
        }
        let account = self.inner.account.lock();
        let sid = incoming.path.rsplit('/').next().unwrap_or("");
        match account.media.get(sid) {
            Some(media) if incoming.method == "GET" => file(media),
            _ => Reply::text(403, "AccessDenied"),
        }
    }
}
