//! The operator's guide: its examples of proxies carry real traffic, its configuration is taken by `check`. (Its
//! commands are run by `packaging/test`.)

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde_json::json;
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::daemon::trunkline;
use trunkline_tests::http::Request;
use trunkline_tests::port::free_port;
use trunkline_tests::tls::Authority;
use trunkline_tests::twilio::Sms;
use trunkline_tests::visitor::{Socket, Visitor};
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::{SMS, Stage, twilio};

const GUIDE: &str = include_str!("../../packaging/README.md");
const ADA: &str = "+15005550101";

/// The guide's blocks of a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let opening = format!("\n```{language}\n");
    GUIDE
        .split(&opening)
        .skip(1)
        .map(|rest| rest.split("\n```").next().expect("a block ends"))
        .collect()
}

async fn stage() -> Stage {
    Stage::new(|simulator| {
        Config::new()
            .channel(twilio(SMS, simulator))
            .channel(Channel::new("web_chat", "chat").without("webhook_token"))
    })
    .await
}

/// A proxy that ends with the test.
struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a proxy; none, said in words, where the machine has no such program.
fn start(mut command: Command) -> Option<Proxy> {
    let name = command.get_program().to_string_lossy().into_owned();
    // What it leaves behind, if it does, must not hold up who reads this program's output.
    let command = command.stdin(Stdio::null()).stdout(Stdio::null());
    match command.stderr(Stdio::null()).spawn() {
        Ok(child) => Some(Proxy(child)),
        Err(error) => {
            println!("not tested: {name} can't be started: {error}");
            None
        }
    }
}

async fn listens(address: SocketAddr) {
    eventually("the proxy listens", SOON, || async move {
        tokio::net::TcpStream::connect(address).await.ok()
    })
    .await;
}

#[tokio::test]
async fn nginx_as_in_the_guide_carries_webhooks_and_chats() {
    let stage = stage().await;
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    authority.issue(folder.path(), None);
    let address: SocketAddr = ([127, 0, 0, 1], free_port()).into();
    let [server] = blocks("nginx")[..] else {
        panic!("the guide has one block for nginx");
    };
    let at = |name: &str| folder.path().join(name).display().to_string();
    let server = server
        .replace("listen 443 ssl", &format!("listen {address} ssl"))
        .replace("/etc/ssl/hooks.example.org/fullchain.pem", &at("cert.pem"))
        .replace("/etc/ssl/hooks.example.org/privkey.pem", &at("key.pem"))
        .replace("127.0.0.1:8080", &stage.daemon.public().to_string());
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {};", at(kind)))
        .join("\n");
    let whole = format!(
        "daemon off; master_process off; pid {}; error_log {} warn; events {{}}\nhttp {{\naccess_log off;\n{temporary}\n{server}\n}}\n",
        at("pid"),
        at("error.log")
    );
    std::fs::write(at("nginx.conf"), whole).unwrap();
    let mut command = Command::new("nginx");
    command.args(["-p", &at("."), "-c", &at("nginx.conf")]);
    let Some(_proxy) = start(command) else { return };
    listens(address).await;

    let request = stage.hook(SMS).request(&Sms::new(ADA, "by nginx"));
    let (mut connection, _) = authority.open(address).await.unwrap();
    assert_eq!(connection.status_of(&request.bytes()).await.unwrap(), 200);
    assert_eq!(stage.only_message(ADA).await["content"]["text"], "by nginx");

    let (mut asking, _) = authority.open(address).await.unwrap();
    let session = Request::new("POST", "/chat/web_chat/session").body("application/json", "{}");
    let reply = asking.send(&session.bytes()).await.unwrap();
    let given: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    let stream = authority.connect(address).await.unwrap();
    let opened = Socket::over(stream, "/chat/web_chat/ws", &[])
        .await
        .unwrap();
    let mut socket = opened.expect("the WebSocket passes");
    let hello = json!({"type": "hello", "token": given["token"], "after": null});
    socket.send(&hello).await.unwrap();
    socket.until("caught_up").await;
    socket.say("one", "through nginx").await;
}

#[tokio::test]
async fn caddy_as_in_the_guide_carries_webhooks_and_chats() {
    let stage = stage().await;
    let folder = tempfile::tempdir().unwrap();
    let address: SocketAddr = ([127, 0, 0, 1], free_port()).into();
    let [site] = blocks("caddy")[..] else {
        panic!("the guide has one block for Caddy");
    };
    // Without a certificate: Caddy would ask the world for one.
    let site = site
        .replace("hooks.example.org", &format!("http://:{}", address.port()))
        .replace("127.0.0.1:8080", &stage.daemon.public().to_string());
    let file = folder.path().join("Caddyfile");
    std::fs::write(&file, format!("{{\n\tadmin off\n}}\n{site}\n")).unwrap();
    let mut command = Command::new("caddy");
    command.arg("run").arg("--config").arg(&file);
    command.args(["--adapter", "caddyfile"]);
    command.env("HOME", folder.path());
    let Some(_proxy) = start(command) else { return };
    listens(address).await;

    let request = stage.hook(SMS).request(&Sms::new(ADA, "by Caddy"));
    assert_eq!(request.send(address).await.unwrap().status, 200);
    assert_eq!(stage.only_message(ADA).await["content"]["text"], "by Caddy");
    let visitor = Visitor::new(address, "web_chat").await;
    let (mut socket, _) = visitor.arrive(None).await;
    socket.say("one", "through Caddy").await;
}

#[tokio::test]
async fn its_configuration_is_taken() {
    let blocks = blocks("toml");
    assert!(blocks.len() >= 4, "{}", blocks.len());
    for block in blocks {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trunkline.toml");
        std::fs::write(&file, block).unwrap();
        let file = file.to_str().expect("UTF-8");
        let told = trunkline(&["check", "-c", file]).await;
        // Files of secrets and certificates are not on this machine; everything else has to hold.
        let wrong: Vec<&str> = told
            .stderr
            .lines()
            .filter(|line| line.starts_with(file))
            .filter(|line| !line.contains("can't be read") && !line.contains("No such file"))
            .filter(|line| !line.contains("warning") && !line.contains("note"))
            .collect();
        assert!(wrong.is_empty(), "{block}\n{wrong:#?}\n{}", told.stderr);
    }
}
