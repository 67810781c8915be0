//! Files of the daemon, as forms.

use serde_json::json;
use trunkline_plugin_api::{
    Body, Content, Media, MediaRef, OutboundMessage, Piece, PieceEncoding, Request,
};

use super::{API, kit, taken, to_ada};

fn file(kind: &str, name: Option<&str>, size: u64) -> Media {
    Media {
        source: MediaRef {
            sha256: Some("ab".repeat(32)),
            url: Some("https://hooks.example.org/m/x".into()),
            ..MediaRef::default()
        },
        content_type: Some(kind.into()),
        name: name.map(String::from),
        size: Some(size),
    }
}

/// The URL's end, the header and the text of the form up to the file, and the pieces.
fn form(media: &Media, text: &str) -> (String, String, String, Vec<Piece>) {
    let message = OutboundMessage {
        content: Content {
            media: vec![media.clone()],
            ..Content::text(text)
        },
        reply_to: Some("5001:7".into()),
        ..to_ada("")
    };
    let run = kit().send(&message, [taken(42)]);
    assert!(run.outcome.is_ok(), "{:?}", run.outcome);
    match run.requests.into_iter().next() {
        Some(Request::Http(request)) => {
            let method = request.url[API.len()..].to_owned();
            let header = request.headers[0].value.clone();
            let Body::Pieces { bytes, pieces } = request.body else {
                panic!("no form");
            };
            (
                method,
                header,
                String::from_utf8(bytes).expect("text"),
                pieces,
            )
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_is_uploaded_in_one_form() {
    let media = file("image/png", Some("Käfer \"1\".png"), 5_000);
    let (method, header, bytes, pieces) = form(&media, "look");
    assert_eq!(method, "/sendPhoto");
    assert_eq!(
        header,
        "multipart/form-data; boundary=trunkline-000102030405060708090a0b0c0d0e0f"
    );
    let part = |name: &str, value: &str| {
        format!(
            "--trunkline-000102030405060708090a0b0c0d0e0f\r\n\
             content-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        )
    };
    let answered = json!({"message_id": 7, "allow_sending_without_reply": true}).to_string();
    let head = format!(
        "{}{}{}--trunkline-000102030405060708090a0b0c0d0e0f\r\n\
         content-disposition: form-data; name=\"photo\"; filename=\"Käfer _1_.png\"\r\n\
         content-type: image/png\r\n\r\n",
        part("caption", "look"),
        part("chat_id", "5001"),
        part("reply_parameters", &answered),
    );
    let tail = "\r\n--trunkline-000102030405060708090a0b0c0d0e0f--\r\n";
    assert_eq!(bytes, format!("{head}{tail}"));
    let want = [
        Piece::Bytes {
            len: head.len() as u64,
        },
        Piece::Media {
            media: media.source,
            encoding: PieceEncoding::Identity,
        },
        Piece::Bytes {
            len: tail.len() as u64,
        },
    ];
    assert_eq!(pieces, want);
}

#[test]
fn a_large_picture_is_a_document_and_odd_headers_are_made_plain() {
    let (method, _, bytes, _) = form(&file("image/png", None, 11 << 20), "look");
    assert_eq!(method, "/sendDocument");
    assert!(
        bytes.contains("name=\"document\"; filename=\"document\""),
        "{bytes}"
    );
    let (method, _, bytes, _) = form(&file("a/b\r\nx: y", Some("a\r\nb/c"), 1), "look");
    assert_eq!(method, "/sendDocument");
    assert!(
        bytes.contains("filename=\"a__b_c\"\r\ncontent-type: application/octet-stream\r\n\r\n")
    );
}
