//! The daemon's API over its admin socket: no token, the socket's permissions are the proof.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use reqwest::{Method, RequestBuilder, Response, Url};
use serde_json::Value;

use super::{failure::Failure, problem::Problem};
use crate::outbound::BodyStream;

/// How long an answer may take; reloads and live tests take their time.
const TIMEOUT: Duration = Duration::from_secs(120);
/// How long a file may take.
const FILE_TIMEOUT: Duration = Duration::from_secs(3600);
/// How long a stream may take.
const STREAM_TIMEOUT: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long nothing may come of one.
const SILENCE_MAX: Duration = Duration::from_secs(600);
/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Longest id taken from the command line.
const ID_CHARS_MAX: usize = 256;

/// A client of one daemon.
#[derive(Debug, Clone)]
pub(super) struct Admin {
    client: reqwest::Client,
    socket: PathBuf,
}

/// Why the daemon could not be asked, or what it refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum AdminError {
    /// It was not reached, or its answer did not come.
    #[error("{0}")]
    NoAnswer(String),
    /// It refused.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// It answered something that is not the API's.
    #[error("the answer on {} is not one of this API: {reason}", socket.display())]
    Garbled {
        /// The socket asked.
        socket: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Admin {
    /// A client for the daemon behind `socket`. Nothing is sent yet.
    pub(super) fn new(socket: PathBuf) -> Result<Self, Failure> {
        let client = reqwest::Client::builder()
            .unix_socket(socket.as_path())
            .timeout(TIMEOUT)
            // A connection kept for later may be closed by the daemon just as it is used again.
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(anyhow::Error::from)?;
        Ok(Self { client, socket })
    }

    /// `GET /api/v1/{path}?{query}`.
    pub(super) async fn get(&self, path: &[&str], query: &Query) -> Result<Value, AdminError> {
        let url = url(path, query);
        self.send(self.client.get(url)).await
    }

    /// `POST /api/v1/{path}` without a body.
    pub(super) async fn post(&self, path: &[&str]) -> Result<Value, AdminError> {
        self.send(self.client.post(url(path, &Query::default())))
            .await
    }

    /// `POST` without a body, of work that may take long.
    pub(super) async fn post_long(&self, path: &[&str]) -> Result<Value, AdminError> {
        let request = self.client.post(url(path, &Query::default()));
        self.send(request.timeout(FILE_TIMEOUT)).await
    }

    /// `PUT /api/v1/{path}` of a JSON body.
    pub(super) async fn put(&self, path: &[&str], body: &Value) -> Result<Value, AdminError> {
        let request = self.client.put(url(path, &Query::default()));
        let request = request.header("content-type", "application/json");
        self.send(request.body(body.to_string())).await
    }

    /// `DELETE /api/v1/{path}`.
    pub(super) async fn delete(&self, path: &[&str]) -> Result<Value, AdminError> {
        self.send(self.client.delete(url(path, &Query::default())))
            .await
    }

    /// `POST` with a query, a JSON body and headers, as far as they are given.
    pub(super) async fn call(
        &self,
        path: &[&str],
        query: &Query,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Result<Value, AdminError> {
        let mut request = self.client.request(Method::POST, url(path, query));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        self.send(request).await
    }

    /// `POST` of a file, streamed.
    pub(super) async fn upload(
        &self,
        path: &[&str],
        query: &Query,
        file: File,
        len: u64,
        content_type: Option<&str>,
    ) -> Result<Value, AdminError> {
        let body = reqwest::Body::wrap_stream(BodyStream::of_file(file, len).into_stream());
        let mut request = self.client.post(url(path, query));
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let request = request.header("content-length", len).body(body);
        self.send(request.timeout(FILE_TIMEOUT)).await
    }

    /// `POST` of a body of unknown length, read as it is sent.
    pub(super) async fn send_stream(
        &self,
        path: &[&str],
        query: &Query,
        body: reqwest::Body,
    ) -> Result<Value, AdminError> {
        let request = self.client.post(url(path, query)).body(body);
        self.send(request.timeout(STREAM_TIMEOUT)).await
    }

    /// `GET` of something large, handed on as it comes. It may take as long as it likes, while something comes.
    pub(super) async fn stream(
        &self,
        path: &[&str],
        query: &Query,
        mut take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), AdminError> {
        let lost = |error: reqwest::Error| AdminError::NoAnswer(explain(&error, &self.socket));
        let request = self.client.get(url(path, query));
        let mut response = request.timeout(STREAM_TIMEOUT).send().await.map_err(lost)?;
        let status = response.status();
        if !status.is_success() {
            let body = self.read(response).await?;
            let problem = Problem::read(status.as_u16(), &body);
            return Err(AdminError::Problem(Box::new(problem)));
        }
        loop {
            let chunk = tokio::time::timeout(SILENCE_MAX, response.chunk()).await;
            let chunk = chunk.map_err(|_| {
                let socket = self.socket.display();
                AdminError::NoAnswer(format!("nothing came from {socket} for {SILENCE_MAX:?}"))
            })?;
            let Some(chunk) = chunk.map_err(lost)? else {
                return Ok(());
            };
            take(&chunk).map_err(|error| AdminError::NoAnswer(error.to_string()))?;
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Value, AdminError> {
        let lost = |error: reqwest::Error| AdminError::NoAnswer(explain(&error, &self.socket));
        let response = request.send().await.map_err(lost)?;
        let status = response.status();
        let body = self.read(response).await?;
        if !status.is_success() {
            return Err(AdminError::Problem(Box::new(Problem::read(
                status.as_u16(),
                &body,
            ))));
        }
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).map_err(|error| self.garbled(&error.to_string()))
    }

    async fn read(&self, mut response: Response) -> Result<Vec<u8>, AdminError> {
        let lost = |error: reqwest::Error| AdminError::NoAnswer(explain(&error, &self.socket));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(self.garbled(&format!("it is larger than {ANSWER_BYTES_MAX} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// An answer that is not the API's.
    pub(super) fn garbled(&self, reason: &str) -> AdminError {
        AdminError::Garbled {
            socket: self.socket.clone(),
            reason: reason.to_owned(),
        }
    }
}

/// Parameters of a query, in order; what is not given is left out.
#[derive(Debug, Clone, Default)]
pub(super) struct Query(Vec<(&'static str, String)>);

impl Query {
    /// Adds a parameter, where there is a value.
    #[must_use]
    pub(super) fn with(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.0.extend(value.map(|value| (name, value.to_string())));
        self
    }
}

/// The address of a call. The host says nothing on a socket.
fn url(path: &[&str], query: &Query) -> Url {
    let mut url = Url::parse("http://localhost/api/v1").expect("a constant URL parses");
    url.path_segments_mut()
        .expect("an http URL has a path")
        .extend(path);
    if !query.0.is_empty() {
        url.query_pairs_mut().extend_pairs(&query.0);
    }
    url
}

/// Checks an id from the command line: it becomes one step of a path.
pub(super) fn id(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > ID_CHARS_MAX {
        return Err(format!("must have 1 to {ID_CHARS_MAX} characters"));
    }
    if matches!(text, "." | "..") || !text.chars().all(|c| c.is_ascii_graphic() && c != '/') {
        return Err("is not an id".to_owned());
    }
    Ok(text.to_owned())
}

/// What went wrong on the way, and what to do about it.
fn explain(error: &reqwest::Error, socket: &Path) -> String {
    if error.is_timeout() {
        let seconds = TIMEOUT.as_secs();
        return format!(
            "the daemon on {} has not answered within {seconds} s",
            socket.display()
        );
    }
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut words = error.to_string();
    while let Some(inner) = cause {
        let kind = inner.downcast_ref::<io::Error>().map(io::Error::kind);
        if let Some(words) = kind.and_then(|kind| advice(kind, socket)) {
            return words;
        }
        words = inner.to_string();
        cause = inner.source();
    }
    format!("the daemon on {} did not answer: {words}", socket.display())
}

/// What a failed connection means to the operator.
fn advice(kind: io::ErrorKind, socket: &Path) -> Option<String> {
    let socket = socket.display();
    match kind {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Some(format!(
            "the daemon does not answer on {socket}: is it running?"
        )),
        io::ErrorKind::PermissionDenied => Some(format!(
            "the daemon does not answer on {socket}: permission denied; \
             add yourself to the group trunkline, or become root"
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener as Bound;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;

    fn client(socket: &Path) -> Admin {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Admin::new(socket.to_owned()).expect("a client")
    }

    /// Serves one canned answer; gives what was asked.
    async fn asked(answer: &str) -> (Result<Value, AdminError>, String) {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("s");
        let listener = UnixListener::bind(&socket).expect("a socket");
        let serve = async {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.expect("a request");
            stream.write_all(answer.as_bytes()).await.expect("written");
            String::from_utf8_lossy(&request[..length]).into_owned()
        };
        let query = Query::default()
            .with("identifier", Some("+1 5"))
            .with("limit", None::<u32>);
        let admin = client(&socket);
        let path = ["contacts", "a?b"];
        tokio::join!(admin.get(&path, &query), serve)
    }

    #[tokio::test]
    async fn answers_are_read_and_requests_encoded() {
        let (answer, request) =
            asked("HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n{\"items\":[]}").await;
        assert_eq!(answer.expect("JSON"), serde_json::json!({"items": []}));
        let line = request.lines().next().unwrap_or_default();
        assert_eq!(
            line,
            "GET /api/v1/contacts/a%3Fb?identifier=%2B1+5 HTTP/1.1"
        );
    }

    #[tokio::test]
    async fn a_problem_keeps_its_words() {
        let body = r#"{"title":"Not sent","detail":"the window is closed","code":"window_closed"}"#;
        let head = "HTTP/1.1 422 Unprocessable Content\r\ncontent-length: ";
        let (answer, _) = asked(&format!("{head}{}\r\n\r\n{body}", body.len())).await;
        let error = answer.expect_err("refused");
        assert_eq!(
            error.to_string(),
            "Not sent: the window is closed (window_closed)"
        );
    }

    #[tokio::test]
    async fn an_answer_that_is_not_json_is_told() {
        let (answer, _) = asked("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
        assert!(
            matches!(answer, Err(AdminError::Garbled { .. })),
            "{answer:?}"
        );
    }

    #[tokio::test]
    async fn a_daemon_that_is_not_there_is_told_with_the_path() {
        let folder = tempfile::tempdir().expect("a folder");
        let missing = folder.path().join("missing");
        let stale = folder.path().join("stale");
        drop(Bound::bind(&stale).expect("a socket"));
        for socket in [missing, stale] {
            let error = client(&socket).post(&["reload"]).await.expect_err("gone");
            let expected = format!(
                "the daemon does not answer on {}: is it running?",
                socket.display()
            );
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn a_refused_socket_names_the_group() {
        let words = advice(io::ErrorKind::PermissionDenied, Path::new("/run/a.sock"));
        assert!(words.is_some_and(|words| words.contains("group trunkline")));
        assert_eq!(
            advice(io::ErrorKind::BrokenPipe, Path::new("/run/a.sock")),
            None
        );
    }

    #[test]
    fn ids_stay_one_step_of_a_path() {
        assert_eq!(id("sms_support").as_deref(), Ok("sms_support"));
        for bad in ["", ".", "..", "a/b", "a b", "ä", &"x".repeat(300)] {
            assert!(id(bad).is_err(), "{bad:?}");
        }
    }
}
