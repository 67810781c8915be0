//! People who sign in: made by the command line, signed in over HTTP, confined by their role.

use serde_json::{Value, json};
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::http::{Reply, Request};

use crate::stage::Stage;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

async fn stage() -> Stage {
    Stage::new(|_| Config::new().channel(Channel::webhook("hook").config("secret", SECRET))).await
}

/// A browser: it has a cookie, and says what page it is on.
struct Browser<'a> {
    stage: &'a Stage,
    cookie: Option<String>,
    origin: Option<String>,
}

impl<'a> Browser<'a> {
    fn new(stage: &'a Stage) -> Self {
        let origin = Some("http://localhost".to_owned());
        Self {
            stage,
            cookie: None,
            origin,
        }
    }

    async fn call(&self, method: &'static str, path: &str, body: Option<Value>) -> Reply {
        let mut request = Request::new(method, format!("/api/v1{path}"));
        if let Some(cookie) = &self.cookie {
            request = request.header("Cookie", cookie);
        }
        if let Some(origin) = &self.origin {
            request = request.header("Origin", origin);
        }
        if let Some(body) = body {
            request = request.body("application/json", body.to_string());
        }
        let reply = request.send(self.stage.daemon.admin()).await;
        reply.expect("the daemon answers")
    }

    async fn status(&self, method: &'static str, path: &str, body: Option<Value>) -> u16 {
        self.call(method, path, body).await.status
    }

    async fn sign_in(&mut self, name: &str, password: &str) -> u16 {
        let body = json!({"name": name, "password": password});
        let answer = self.call("POST", "/session", Some(body)).await;
        if let Some(cookie) = answer.header("set-cookie") {
            for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
                assert!(cookie.contains(part), "{cookie}");
            }
            self.cookie = cookie.split(';').next().map(str::to_owned);
        }
        answer.status
    }
}

async fn create(stage: &Stage, name: &str, role: &str) -> String {
    let made = ["user", "create", name, "--role", role];
    stage.daemon.cli_ok(&made).await.stdout.trim().to_owned()
}

#[tokio::test]
async fn a_user_signs_in_acts_within_the_role_and_signs_out() {
    let mut stage = stage().await;
    let password = create(&stage, "ada", "admin").await;
    let twice = ["user", "create", "ada", "--role", "owner"];
    let twice = stage.daemon.cli(&twice).await;
    assert!(
        twice.code == 1 && twice.stderr.contains("already"),
        "{twice:?}"
    );

    let mut ada = Browser::new(&stage);
    assert_eq!(ada.status("GET", "/channels", None).await, 401);
    assert_eq!(ada.sign_in("ada", "not the password").await, 401);
    assert_eq!(ada.sign_in("nobody", &password).await, 401);
    assert_eq!(ada.sign_in("ada", &password).await, 200);
    let entered = stage.daemon.api();
    let entered = entered.all("/api/v1/audit?action=session.create").await;
    assert_eq!(entered.len(), 1, "those refused are not: {entered:?}");
    assert_eq!(entered[0]["actor"]["kind"], "user");
    assert_eq!(entered[0]["actor"]["name"], "ada");
    let who = ada.call("GET", "/session", None).await.text();
    let who: Value = serde_json::from_str(&who).expect("JSON");
    assert_eq!(
        (&who["name"], &who["role"]),
        (&json!("user ada"), &json!("admin"))
    );
    assert_eq!(ada.status("GET", "/channels", None).await, 200);
    let switch = "/channels/hook/disable";
    assert_eq!(ada.status("POST", switch, None).await, 200);
    let token = json!({"name": "x", "role": "owner"});
    assert_eq!(ada.status("POST", "/tokens", Some(token)).await, 403);

    let cookie = ada.cookie.clone();
    stage.daemon.restart().await;
    let mut ada = Browser::new(&stage);
    ada.cookie = cookie;
    assert_eq!(
        ada.status("GET", "/channels", None).await,
        200,
        "kept over a restart"
    );
    let foreign = Browser {
        stage: &stage,
        cookie: ada.cookie.clone(),
        origin: Some("https://evil.example".into()),
    };
    assert_eq!(foreign.status("POST", switch, None).await, 403);
    assert_eq!(ada.status("DELETE", "/session", None).await, 204);
    assert_eq!(
        ada.status("GET", "/channels", None).await,
        401,
        "signed out"
    );
}

#[tokio::test]
async fn a_new_password_and_a_disabled_user_end_all_sessions() {
    let stage = stage().await;
    let first = create(&stage, "bob@example.org", "member").await;
    let mut bob = Browser::new(&stage);
    assert_eq!(bob.sign_in("bob@example.org", &first).await, 200);
    let renewed = stage
        .daemon
        .cli_ok(&["user", "password", "bob@example.org"])
        .await;
    assert_eq!(bob.status("GET", "/channels", None).await, 401);
    assert_eq!(bob.sign_in("bob@example.org", &first).await, 401);
    assert_eq!(
        bob.sign_in("bob@example.org", renewed.stdout.trim()).await,
        200
    );
    let short = ["user", "password", "bob@example.org", "--password-stdin"];
    let short = stage.daemon.cli(&short).await;
    assert!(
        short.code == 1 && short.stderr.contains("12 to 256"),
        "{short:?}"
    );

    stage
        .daemon
        .cli_ok(&["user", "disable", "bob@example.org"])
        .await;
    assert_eq!(bob.status("GET", "/channels", None).await, 401);
    assert_eq!(
        bob.sign_in("bob@example.org", renewed.stdout.trim()).await,
        401
    );
    stage
        .daemon
        .cli_ok(&["user", "enable", "bob@example.org"])
        .await;
    stage
        .daemon
        .cli_ok(&["user", "role", "bob@example.org", "owner"])
        .await;
    let listed = stage
        .daemon
        .cli_ok(&["user", "list", "--json"])
        .await
        .json();
    assert_eq!(listed["items"][0]["role"], "owner");
    assert!(listed["items"][0].get("password").is_none(), "{listed}");
    stage
        .daemon
        .cli_ok(&["user", "delete", "bob@example.org"])
        .await;
    assert_eq!(
        bob.sign_in("bob@example.org", renewed.stdout.trim()).await,
        401
    );
    let log = stage.daemon.log();
    assert!(!log.contains(&first) && !log.contains(renewed.stdout.trim()));
}

#[tokio::test]
async fn guessing_is_slowed() {
    let stage = stage().await;
    create(&stage, "eve", "member").await;
    let mut browser = Browser::new(&stage);
    let mut answers = Vec::new();
    for _ in 0..12 {
        answers.push(browser.sign_in("eve", "a wrong password").await);
    }
    assert_eq!(answers[0], 401);
    assert!(answers.contains(&429), "{answers:?}");
}
