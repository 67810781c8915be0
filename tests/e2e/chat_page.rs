//! The chat's page as a browser gets it: its policy, its files, and what it does without scripts.

use serde_json::json;
use trunkline_tests::api::encode;
use trunkline_tests::config::Config;
use trunkline_tests::daemon::Daemon;
use trunkline_tests::http::{Reply, Request};
use trunkline_tests::visitor::{Visitor, messages};

use crate::chat::{chat, daemon};

async fn get(daemon: &Daemon, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::new("GET", path);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    request.send(daemon.public()).await.unwrap()
}

/// Posts the form as a browser without scripts does.
async fn post(daemon: &Daemon, cookie: &str, client: &str, text: &str) -> Reply {
    let body = format!("client={client}&name=&email=&text={}", encode(text));
    let request = Request::new("POST", "/chat/web").header("cookie", cookie);
    let request = request.body("application/x-www-form-urlencoded", body);
    request.send(daemon.public()).await.unwrap()
}

fn cookie_of(reply: &Reply) -> String {
    let set = reply.header("set-cookie").expect("a cookie");
    for wanted in ["; HttpOnly", "; SameSite=Lax", "; Path=/chat/web;"] {
        assert!(set.contains(wanted), "{set}");
    }
    set.split(';').next().unwrap().to_owned()
}

/// The text of the first field of this name in a form.
fn field(page: &str, name: &str) -> String {
    let from = page.split(&format!("name=\"{name}\" value=\"")).nth(1);
    from.and_then(|rest| rest.split('"').next())
        .expect("the field")
        .to_owned()
}

#[tokio::test]
async fn nothing_inline_nothing_from_elsewhere() {
    let daemon = daemon().await;
    let page = get(&daemon, "/chat/web", &[]).await;
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").unwrap();
    for rule in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
    ] {
        assert!(policy.contains(rule), "{policy}");
    }
    assert!(policy.ends_with("frame-ancestors 'self' https://www.example.org"));
    assert!(!policy.contains("unsafe"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert!(
        page.header("set-cookie").is_none(),
        "looking leaves nothing"
    );
    let html = page.text();
    for inline in [
        "<style",
        " style=",
        " onclick",
        " onload",
        "javascript:",
        "http://",
        "https://",
    ] {
        assert!(!html.contains(inline), "{inline} in {html}");
    }
    assert_eq!(
        html.matches("<script").count(),
        html.matches("<script type=\"module\" src=\"").count()
    );
    // What a screen reader and a phone need.
    for needed in [
        "<html lang=\"en\">",
        "viewport-fit=cover",
        "role=\"log\" aria-live=\"polite\"",
        "<label for=\"text\">",
        "<label for=\"name\">",
        "role=\"status\"",
        "<h1>Help</h1>",
        "<main>",
    ] {
        assert!(html.contains(needed), "{needed} is not in {html}");
    }
    assert!(
        html.contains("<div id=\"attach\" hidden>\n<label for=\"file\">"),
        "a file needs the script, which shows the field: {html}"
    );
}

#[tokio::test]
async fn every_file_of_the_page_is_there() {
    let daemon = daemon().await;
    let script = "text/javascript; charset=utf-8";
    let files = [
        ("assets/main.js", script),
        ("assets/connection.js", script),
        ("assets/view.js", script),
        ("assets/links.js", script),
        ("assets/style.css", "text/css; charset=utf-8"),
        ("embed.js", script),
    ];
    let mut lines = 0;
    for (name, kind) in files {
        let path = format!("/chat/web/{name}");
        let file = get(&daemon, &path, &[]).await;
        assert_eq!(
            (file.status, file.header("content-type")),
            (200, Some(kind)),
            "{name}"
        );
        assert_eq!(file.header("x-content-type-options"), Some("nosniff"));
        let loaded_by = if name == "embed.js" {
            "cross-origin"
        } else {
            "same-origin"
        };
        assert_eq!(file.header("cross-origin-resource-policy"), Some(loaded_by));
        let tag = file.header("etag").unwrap().to_owned();
        let again = get(&daemon, &path, &[("if-none-match", &tag)]).await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{name}");
        let text = file.text();
        for unsafe_way in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "eval(",
            "document.write",
        ] {
            assert!(!text.contains(unsafe_way), "{unsafe_way} in {name}");
        }
        lines += text.lines().count();
        // What a script imports is one of these files.
        for import in text.split(" from \"./").skip(1) {
            let import = format!("assets/{}", import.split('"').next().unwrap());
            assert!(files.iter().any(|(name, _)| *name == import), "{import}");
        }
    }
    assert!(lines < 700, "{lines} lines to load");
    for path in [
        "/chat/web/assets/none.js",
        "/chat/web/assets/..%2Fmain.js",
        "/chat/nobody/embed.js",
        "/chat/nobody",
    ] {
        assert_eq!(get(&daemon, path, &[]).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn without_scripts_a_form_posts_and_the_page_shows() {
    let daemon = daemon().await;
    let page = get(&daemon, "/chat/web", &[]).await.text();
    let client = field(&page, "client");
    let nasty =
        "<script>alert(1)</script> \"'&\r\n<img src=x onerror=alert(2)> javascript:alert(3)";
    let posted = post(&daemon, "", &client, nasty).await;
    assert_eq!(posted.status, 303, "{}", posted.text());
    assert_eq!(posted.header("location"), Some("web"));
    let cookie = cookie_of(&posted);
    // The browser's button "back", and the form once more.
    assert_eq!(post(&daemon, &cookie, &client, nasty).await.status, 303);
    let page = get(&daemon, "/chat/web", &[("cookie", &cookie)])
        .await
        .text();
    assert_eq!(page.matches("alert(1)").count(), 1, "{page}");
    assert!(
        !page.contains("<script>") && !page.contains("<img"),
        "{page}"
    );
    assert!(
        page.contains("&#60;script&#62;alert(1)") || page.contains("&lt;script&gt;alert(1)"),
        "{page}"
    );

    let contacts = daemon.api().all("/api/v1/contacts").await;
    assert_eq!(contacts.len(), 1);
    let who = contacts[0]["identities"][0]["identifier"].as_str().unwrap();
    let stored = daemon.api().timeline(who).await;
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0]["content"]["text"], nasty.replace("\r\n", "\n"));
    let id = daemon
        .api()
        .send_text("web", who, "<b>bold</b> reply")
        .await;
    daemon.api().wait_status(&id, "sent").await;
    let page = get(&daemon, "/chat/web", &[("cookie", &cookie)])
        .await
        .text();
    assert!(!page.contains("<b>") && page.contains("reply"), "{page}");
    let stranger = get(&daemon, "/chat/web", &[]).await.text();
    assert!(!stranger.contains("reply"));
    let forged = get(
        &daemon,
        "/chat/web",
        &[("cookie", "trunkline_chat_web=a.b")],
    )
    .await;
    assert_eq!(forged.status, 200);
    assert!(!forged.text().contains("reply"));
    // With scripts the same visitor goes on: the cookie is worth a token.
    let nobody = Visitor::with_token(daemon.public(), "web", "");
    let reply = nobody
        .request("POST", "session", &[("cookie", &cookie)], &json!({}))
        .await;
    let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(body["new"], false);
    let visitor = Visitor::with_token(daemon.public(), "web", body["token"].as_str().unwrap());
    let (_, frames) = visitor.arrive(None).await;
    assert_eq!(messages(&frames).len(), 2);
}

#[tokio::test]
async fn what_the_form_refuses_stays_in_it() {
    let daemon = daemon().await;
    let long = "x".repeat(17 * 1024);
    let reply = post(&daemon, "", "c1", &long).await;
    assert_eq!(reply.status, 422);
    let html = reply.text();
    assert!(html.contains("the message is too long") && html.contains(&long));
    assert!(reply.header("content-security-policy").is_some());
    assert_eq!(post(&daemon, "", "", "hi").await.status, 422);
    assert_eq!(post(&daemon, "", "c1", " \r\n ").await.status, 422);
    assert!(daemon.api().all("/api/v1/contacts").await.is_empty());
}

#[tokio::test]
async fn title_and_greeting_are_text() {
    let channel = chat("web")
        .config("title", "<i>\"Us\"</i>")
        .config("greeting", "Hello </p><script>alert(1)</script>");
    let daemon = Daemon::start(Config::new().channel(channel)).await;
    let html = get(&daemon, "/chat/web", &[]).await.text();
    assert!(
        !html.contains("<i>") && !html.contains("<script>"),
        "{html}"
    );
    assert!(html.contains("alert(1)"));
}
