//! `POST {number}/media`: a multipart form (RFC 7578) with the file, its type and the product.

use super::account::StoredMedia;
use super::refusal::Refusal;
use crate::multipart;
use crate::reply::Incoming;

/// The file of an upload that is right.
pub(super) fn admit(incoming: &Incoming) -> Result<StoredMedia, Refusal> {
    let content_type = incoming.header("content-type").unwrap_or_default();
    let malformed = |reason| Refusal::parameter(reason);
    let parts = multipart::parts(content_type, &incoming.body).map_err(malformed)?;
    let announced = incoming.header("content-length");
    if announced.is_none_or(|len| len.parse() != Ok(incoming.body.len())) {
        return Err(Refusal::parameter("an upload needs a content-length"));
    }
    let find = |name: &str| parts.iter().find(|part| part.name == name);
    let product = find("messaging_product").map(|part| part.bytes);
    if product != Some(b"whatsapp".as_slice()) {
        return Err(Refusal::parameter("messaging_product must be whatsapp"));
    }
    let file = find("file").ok_or_else(|| Refusal::missing("file"))?;
    let kind = find("type")
        .and_then(|part| std::str::from_utf8(part.bytes).ok())
        .ok_or_else(|| Refusal::missing("type"))?;
    if file.content_type != Some(kind) || file.file_name.is_none() {
        return Err(Refusal::invalid(
            "the file's own type or name is not the form's",
        ));
    }
    if file.bytes.is_empty() {
        return Err(Refusal::invalid("the file is empty"));
    }
    Ok(StoredMedia {
        content_type: kind.to_owned(),
        name: file.file_name.map(str::to_owned),
        bytes: file.bytes.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incoming(body: &str) -> Incoming {
        Incoming {
            method: "POST".to_owned(),
            path: "/v25.0/1/media".to_owned(),
            query: String::new(),
            headers: vec![
                (
                    "content-type".to_owned(),
                    "multipart/form-data; boundary=b".to_owned(),
                ),
                ("content-length".to_owned(), body.len().to_string()),
            ],
            body: body.to_owned().into(),
        }
    }

    const FORM: &str = "--b\r\ncontent-disposition: form-data; name=\"messaging_product\"\r\n\r\nwhatsapp\r\n\
         --b\r\ncontent-disposition: form-data; name=\"type\"\r\n\r\nimage/png\r\n\
         --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n\
         PNG\r\n--inside\r\n--b--\r\n";

    #[test]
    fn a_form_is_read_to_the_byte() {
        let media = admit(&incoming(FORM)).unwrap();
        assert_eq!(media.bytes, b"PNG\r\n--inside");
        assert_eq!(
            (media.content_type.as_str(), media.name.as_deref()),
            ("image/png", Some("a.png"))
        );
    }

    #[test]
    fn damaged_forms_are_refused() {
        for (from, to) in [
            ("\r\n--b--", ""),
            ("whatsapp", "instagram"),
            ("name=\"type\"", "name=\"typ\""),
            ("Content-Type: image/png", "Content-Type: image/gif"),
            ("PNG\r\n--inside", ""),
        ] {
            assert!(admit(&incoming(&FORM.replace(from, to))).is_err(), "{from}");
        }
    }
}
