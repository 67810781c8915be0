//! Large things pass through the daemon without staying in its memory.

use std::cell::Cell;
use std::fs;
use std::net::SocketAddr;

use serde_json::{Value, json};
use trunkline_tests::bench::{bare, setup::resident_mib};
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::http::{Reply, Request};
use trunkline_tests::origin::{Origin, file};
use trunkline_tests::wait::{SOON, eventually};

use crate::media::{mms, settled};
use crate::stage::{SMS, Stage, twilio};

const ADA: &str = "+15005550101";
const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const MIB: usize = 1 << 20;
/// What the daemon may grow by while a file passes, in MiB.
pub(crate) const FILE_GROWTH_MAX: u64 = 40;
/// The same for a webhook or a mail of 20 MiB: its body is there once, the plugin reads it where the daemon has it.
pub(crate) const BODY_GROWTH_MAX: u64 = 30;

/// Memory of a daemon that has given back what its start took, in MiB. While it has not, growth would
/// not show.
const AT_REST_MAX: u64 = 80;

/// Waits for the memory of a daemon at rest and forgets the highest so far; gives what there is now, in MiB.
pub(crate) async fn mark(stage: &Stage) -> u64 {
    let pid = stage.daemon.pid();
    eventually(
        "the memory of the start is given back",
        SOON * 3,
        || async {
            // Unused pages go back with time, and only where something is done.
            stage.daemon.api().get("/api/v1/channels").await;
            (resident_mib(pid).expect("it runs").0 < AT_REST_MAX).then_some(())
        },
    )
    .await;
    forget_peak(pid)
}

fn forget_peak(pid: u32) -> u64 {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("the process is ours");
    resident_mib(pid).expect("it runs").0
}

/// The same for a daemon that has worked before: waits until its memory stays as it is.
pub(crate) async fn mark_at_rest(stage: &Stage) -> u64 {
    let (last, times) = (Cell::new(0), Cell::new(0));
    eventually("memory stays as it is", SOON, || async {
        let now = resident_mib(stage.daemon.pid()).expect("it runs").0;
        times.set(if now == last.get() {
            times.get() + 1
        } else {
            0
        });
        last.set(now);
        (times.get() >= 50).then_some(())
    })
    .await;
    forget_peak(stage.daemon.pid())
}

/// Panics where the daemon grew by too much since `before`.
pub(crate) fn grew_little(stage: &Stage, what: &str, before: u64, growth_max: u64) {
    let peak = resident_mib(stage.daemon.pid()).expect("it runs").1;
    let growth = peak.saturating_sub(before);
    println!("{what}: {before} MiB before, {peak} MiB at most, {growth} MiB more");
    assert!(
        growth < growth_max,
        "{what}: {growth} MiB more than the {before} MiB before"
    );
}

/// Sends what takes its time.
pub(crate) async fn patiently(request: &Request, address: SocketAddr) -> Reply {
    let sent = tokio::time::timeout(SOON * 6, request.send(address)).await;
    let sent = sent.expect("an answer in time");
    sent.expect("an answer")
}

async fn stage() -> Stage {
    Stage::new(|simulator| {
        let config = Config::new().set("media.bytes_max", "110MiB");
        let hook = Channel::webhook("hook")
            .key("body_bytes_max", "30MiB")
            .config("secret", SECRET)
            .config("url", simulator.webhook().sink_url());
        config.channel(twilio(SMS, simulator)).channel(hook)
    })
    .await
}

#[tokio::test]
async fn a_hundred_megabytes_come_in_and_go_out_through_little_memory() {
    let stage = stage().await;
    let origin = Origin::start().await;
    let size = 100 * MIB;
    let small = [origin.url("png", 10_000, 7)];
    assert_eq!(stage.deliver(SMS, &mms("+15005550199", &small)).await, 200);
    settled(&stage, "+15005550199").await;

    let before = mark(&stage).await;
    let urls = [origin.url("chunked", size, 1)];
    assert_eq!(stage.deliver(SMS, &mms(ADA, &urls)).await, 200);
    let message = settled(&stage, ADA).await;
    let item = &message["content"]["media"][0];
    assert_eq!(
        (&item["state"], &item["size"]),
        (&json!("stored"), &json!(size)),
        "{message}"
    );
    grew_little(&stage, "100 MiB fetched", before, FILE_GROWTH_MAX);

    let api = stage.daemon.api();
    let upload = Request::new("POST", "/api/v1/media").body("image/png", file("png", size, 2));
    let before = mark(&stage).await;
    let token = format!("Bearer {}", api.token());
    let upload = upload.header("authorization", token);
    let known = patiently(&upload, stage.daemon.admin()).await;
    assert_eq!(known.status, 201, "{}", known.text());
    let known: Value = serde_json::from_slice(&known.body).expect("JSON");
    grew_little(&stage, "100 MiB uploaded", before, FILE_GROWTH_MAX);

    let body = json!({"channel": "hook", "to": "someone", "content": {"media": [{"sha256": known["sha256"]}]}});
    assert_eq!(api.post("/api/v1/messages", &body).await.status, 202);
    let sink = stage.simulator.webhook();
    let post = eventually("it is sent", SOON, || async { sink.received().pop() }).await;
    let text = post.json().to_string();
    let start = text.find("/media/").expect("a link");
    let link: String = text[start..].chars().take_while(|c| *c != '"').collect();
    let before = mark(&stage).await;
    let fetched = patiently(&Request::new("GET", link), stage.daemon.public()).await;
    assert!(fetched.body == file("png", size, 2), "the whole file");
    grew_little(&stage, "100 MiB handed out", before, FILE_GROWTH_MAX);
}

#[tokio::test]
async fn a_large_webhook_is_in_memory_once() {
    let stage = stage().await;
    let size = 20 * MIB;
    let post = |id: &str, padding: usize| {
        // Blanks are part of the body, and of nothing that is made of it.
        let mut body = json!({"id": id, "from": id, "text": "hello"}).to_string();
        body.push_str(&" ".repeat(padding));
        Request::new("POST", stage.daemon.path("hook"))
            .header("x-webhook-secret", SECRET)
            .body("application/json", body)
    };
    assert_eq!(stage.post(&post("small", 0)).await.status, 200);
    let announced = post("announced", size);
    let before = mark(&stage).await;
    assert_eq!(stage.post(&announced).await.status, 200);
    grew_little(&stage, "20 MiB announced", before, BODY_GROWTH_MAX);
    stage.only_message("announced").await;

    let body = reqwest::Body::wrap_stream(futures_util::stream::iter((0..21).map(|at| {
        let text = json!({"id": "chunked", "from": "chunked", "text": "hello"}).to_string();
        Ok::<_, std::io::Error>(if at == 0 {
            text.into_bytes()
        } else {
            vec![b' '; MIB]
        })
    })));
    let url = format!(
        "http://{}{}",
        stage.daemon.public(),
        stage.daemon.path("hook")
    );
    let request = bare::client()
        .expect("a client")
        .post(url)
        .header("x-webhook-secret", SECRET)
        .body(body);
    let before = mark(&stage).await;
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 200);
    grew_little(&stage, "20 MiB in chunks", before, BODY_GROWTH_MAX);
    stage.only_message("chunked").await;
}
