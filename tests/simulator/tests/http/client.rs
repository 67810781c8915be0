//! A plain HTTP client for the simulated API, in the place of an adapter.

use data_encoding::BASE64;
use std::sync::Arc;
use std::time::Duration;
use trunkline_simulator::{Answer, Twilio};

/// A client with credentials and without redirects.
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    account: String,
    authorization: Option<String>,
}

/// `Authorization` for HTTP basic authentication.
pub(crate) fn basic(user: &str, password: &str) -> String {
    format!(
        "Basic {}",
        BASE64.encode(format!("{user}:{password}").as_bytes())
    )
}

/// A client without certificates, since nothing here is encrypted.
pub(crate) fn http() -> reqwest::Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

impl Client {
    /// A client of the account, with its auth token.
    pub(crate) fn new(twilio: &Twilio) -> Self {
        let account = twilio.account_sid();
        Self {
            http: http(),
            base: twilio.api_base(),
            authorization: Some(basic(&account, &twilio.auth_token())),
            account,
        }
    }

    /// The same with other credentials, or none.
    pub(crate) fn with_authorization(mut self, authorization: Option<String>) -> Self {
        self.authorization = authorization;
        self
    }

    /// A path below the account: `/Messages.json`.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/2010-04-01/Accounts/{}{rest}", self.account)
    }

    /// Gets a path or an address.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = self.http.get(self.address(path));
        self.send(request).await.unwrap()
    }

    /// Posts a form to a path.
    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.try_post(path, form).await.unwrap()
    }

    /// Posts a form to a path, where the answer may never come.
    pub(crate) async fn try_post(
        &self,
        path: &str,
        form: &[(&str, &str)],
    ) -> Result<Answer, reqwest::Error> {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request = self.http.post(self.address(path)).body(body);
        let form = "application/x-www-form-urlencoded";
        self.send(request.header("content-type", form)).await
    }

    /// Posts a body that says it is JSON.
    pub(crate) async fn post_json(&self, path: &str, body: &str) -> Answer {
        let request = self.http.post(self.address(path)).body(body.to_owned());
        let request = request.header("content-type", "application/json");
        self.send(request).await.unwrap()
    }

    /// Creates a text message from the account's first number, with more parameters.
    pub(crate) async fn create(&self, more: &[(&str, &str)]) -> Answer {
        self.try_create(more).await.unwrap()
    }

    /// The same, where the answer may never come.
    pub(crate) async fn try_create(&self, more: &[(&str, &str)]) -> Result<Answer, reqwest::Error> {
        let mut form = vec![("To", "+15005550101"), ("From", "+15550100")];
        form.push(("Body", "Hi"));
        form.extend_from_slice(more);
        self.try_post(&self.path("/Messages.json"), &form).await
    }

    fn address(&self, path: &str) -> String {
        if path.starts_with("http://") {
            return path.to_owned();
        }
        format!("{}{path}", self.base)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
        let request = match &self.authorization {
            Some(value) => request.header("authorization", value),
            None => request,
        };
        let response = request.send().await?;
        let headers = response.headers().iter();
        let headers = headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        Ok(Answer {
            status: response.status().as_u16(),
            headers,
            body: response.bytes().await?.to_vec(),
            elapsed: Duration::ZERO,
            attempts: 1,
        })
    }
}

/// The body as JSON.
pub(crate) fn json(answer: &Answer) -> serde_json::Value {
    serde_json::from_slice(&answer.body).unwrap()
}

/// Status and Twilio's code of an error answer.
pub(crate) fn error(answer: &Answer) -> (u16, u64) {
    let body = json(answer);
    assert_eq!(body["status"], answer.status);
    (answer.status, body["code"].as_u64().unwrap())
}
