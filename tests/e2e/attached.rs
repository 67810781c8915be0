//! Files on their way through the API: put in, and read back.

use serde_json::Value;
use trunkline_tests::api::{Api, encode};
use trunkline_tests::http::Request;

/// Uploads a file and gives what the API knows of it.
pub(crate) async fn put(api: &Api, name: &str, content_type: &str, bytes: Vec<u8>) -> Value {
    let target = format!("/api/v1/media?name={}", encode(name));
    let upload = Request::new("POST", target).body(content_type, bytes);
    let uploaded = api.send(upload).await;
    assert_eq!(uploaded.status, 201, "{}", uploaded.reply.text());
    uploaded.json
}

/// The bytes of a stored attachment, as the API serves them.
pub(crate) async fn bytes_of(api: &Api, item: &Value) -> Vec<u8> {
    assert_eq!(item["state"], "stored", "{item}");
    let sha256 = item["sha256"].as_str().expect("a stored file has a hash");
    let answer = api.get_any(&format!("/api/v1/media/{sha256}")).await;
    assert_eq!(answer.status, 200, "{}", answer.reply.text());
    answer.reply.body
}

/// A file that begins as a PDF does, of every byte there is.
pub(crate) fn pdf(size: usize) -> Vec<u8> {
    let mut bytes = b"%PDF-1.7\n".to_vec();
    bytes.extend((0..size.saturating_sub(9)).map(|at| (at.wrapping_mul(31) >> 3).to_le_bytes()[0]));
    bytes
}
