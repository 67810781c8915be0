//! Lengths and bytes of every kind of body, on a real store.

use trunkline_plugin_api::TransportKind;

use super::*;
use crate::store::{EngineOptions, NewMedia};

struct Bench {
    store: Store,
    org: OrgId,
    _folder: tempfile::TempDir,
}

async fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(folder.path(), EngineOptions::default()).unwrap();
    let org = store.organization("default").await.unwrap();
    Bench {
        store,
        org,
        _folder: folder,
    }
}

impl Bench {
    async fn file(&self, bytes: &[u8]) -> MediaRef {
        let mut draft = self.store.media_files().begin(u64::MAX).unwrap();
        draft.write(bytes).unwrap();
        let file = draft.finish();
        self.store.media_files().keep(&file, None).unwrap();
        let new = NewMedia {
            hash: file.hash,
            size: file.size,
            content_type: "text/plain".into(),
            name: None,
        };
        self.store.put_media(self.org, new).await.unwrap();
        MediaRef {
            sha256: Some(file.hash.to_string()),
            ..MediaRef::default()
        }
    }

    async fn read(&self, body: &Body) -> Vec<u8> {
        let mut stream = BodyStream::open(&self.store, self.org, body).unwrap();
        let announced = stream.len();
        let mut all = Vec::new();
        while let Some(chunk) = stream.next().await.unwrap() {
            assert!(chunk.len() <= CHUNK_BYTES * 2, "one chunk at a time");
            all.extend_from_slice(&chunk);
        }
        assert_eq!(all.len() as u64, announced, "the length is exact");
        all
    }
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

#[tokio::test]
async fn pieces_come_out_one_after_the_other_with_an_exact_length() {
    let bench = bench().await;
    for len in [
        0,
        1,
        2,
        3,
        56,
        57,
        58,
        CHUNK_BYTES,
        CHUNK_BYTES + 1,
        200_000,
    ] {
        let bytes = pattern(len);
        let file = bench.file(&bytes).await;
        let mut body = Body::pieces();
        body.push_bytes(b"before|");
        body.push_media(file.clone(), PieceEncoding::Identity);
        body.push_bytes(b"|");
        body.push_media(file.clone(), PieceEncoding::Base64);
        body.push_bytes(b"|");
        body.push_media(file.clone(), PieceEncoding::Base64Lines);
        let mut lines = String::new();
        for line in bytes.chunks(57) {
            lines += &BASE64.encode(line);
            lines += "\r\n";
        }
        let plain = BASE64.encode(&bytes);
        let expected = [b"before|", &bytes[..], b"|", plain.as_bytes(), b"|"].concat();
        let expected = [expected, lines.into_bytes()].concat();
        assert_eq!(bench.read(&body).await, expected, "{len} bytes");
        let whole = Body::Media { media: file };
        assert_eq!(bench.read(&whole).await, bytes, "{len} bytes");
    }
    assert!(bench.read(&Body::Empty).await.is_empty());
    let bytes = pattern(CHUNK_BYTES * 3 + 7);
    let body = Body::Bytes {
        bytes: bytes.clone(),
    };
    assert_eq!(bench.read(&body).await, bytes);
}

#[tokio::test]
async fn a_digest_is_that_of_what_would_be_sent() {
    let bench = bench().await;
    let mut body = Body::pieces();
    body.push_bytes(b"he");
    body.push_media(bench.file(b"llo").await, PieceEncoding::Identity);
    let stream = BodyStream::open(&bench.store, bench.org, &body).unwrap();
    let reply = stream.digest().await.unwrap();
    assert_eq!(reply.size, 5);
    let hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert_eq!(reply.sha256, hello);
}

#[tokio::test]
async fn only_files_of_the_own_organization_go_out() {
    let bench = bench().await;
    let body = Body::Media {
        media: bench.file(b"secret").await,
    };
    let other = bench.store.organization("other").await.unwrap();
    for (org, media) in [
        (other, body),
        (
            bench.org,
            Body::Media {
                media: MediaRef::default(),
            },
        ),
        (
            bench.org,
            Body::Pieces {
                bytes: vec![1, 2],
                pieces: vec![Piece::Bytes { len: 3 }],
            },
        ),
    ] {
        let error = BodyStream::open(&bench.store, org, &media).err().unwrap();
        assert_eq!(error.kind, TransportKind::Forbidden, "{}", error.detail);
    }
}
