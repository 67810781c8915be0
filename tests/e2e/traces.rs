//! Traces, as a collector of OpenTelemetry gets them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use actix_web::{App, HttpResponse, HttpServer, web};
use serde_json::json;
use trunkline_tests::config::Config;
use trunkline_tests::http::Request;
use trunkline_tests::twilio::Sms;
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::{SMS, Stage, twilio};

const ADA: &str = "+15005550101";

/// A span, as far as it matters here.
#[derive(Debug, Clone, Default, PartialEq)]
struct Span {
    trace: Vec<u8>,
    id: Vec<u8>,
    parent: Vec<u8>,
    name: String,
    attributes: BTreeMap<String, String>,
}

/// The fields of a protobuf message: number and bytes; numbers of other kinds have none.
fn fields(mut bytes: &[u8]) -> Vec<(u64, &[u8])> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (first, rest) = bytes.split_first().expect("a varint ends");
            *bytes = rest;
            value |= u64::from(first & 0x7f) << shift;
            if first & 0x80 == 0 {
                break;
            }
        }
        value
    }
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let take = match key & 7 {
            0 => {
                varint(&mut bytes);
                0
            }
            1 => 8,
            2 => usize::try_from(varint(&mut bytes)).expect("a length"),
            5 => 4,
            other => panic!("wire type {other}"),
        };
        let (value, rest) = bytes.split_at(take);
        found.push((key >> 3, value));
        bytes = rest;
    }
    found
}

fn inside(bytes: &[u8], number: u64) -> Vec<&[u8]> {
    let found = fields(bytes)
        .into_iter()
        .filter(|(field, _)| *field == number);
    found.map(|(_, value)| value).collect()
}

/// `ExportTraceServiceRequest` (opentelemetry-proto, trace.proto).
fn spans(request: &[u8]) -> Vec<Span> {
    let resources = inside(request, 1).into_iter();
    let scopes = resources.flat_map(|resource| inside(resource, 2));
    scopes
        .flat_map(|scope| inside(scope, 2))
        .map(span)
        .collect()
}

fn span(bytes: &[u8]) -> Span {
    let mut span = Span::default();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    for (number, value) in fields(bytes) {
        match number {
            1 => span.trace = value.to_vec(),
            2 => span.id = value.to_vec(),
            4 => span.parent = value.to_vec(),
            5 => span.name = text(value),
            9 => {
                let key = inside(value, 1).concat();
                let value = inside(&inside(value, 2).concat(), 1).concat();
                span.attributes.insert(text(&key), text(&value));
            }
            _ => {}
        }
    }
    span
}

/// A collector.
#[derive(Clone, Default)]
struct Collector {
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Collector {
    async fn start(&self) -> SocketAddr {
        let bodies = self.bodies.clone();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = HttpServer::new(move || {
                    let bodies = bodies.clone();
                    App::new().route(
                        "/v1/traces",
                        web::post().to(move |body: web::Bytes| {
                            bodies.lock().unwrap().push(body.to_vec());
                            async { HttpResponse::Ok().finish() }
                        }),
                    )
                })
                .workers(1)
                .disable_signals()
                .bind("127.0.0.1:0")
                .unwrap();
                tell.send(server.addrs()[0]).unwrap();
                let _ = server.run().await;
            });
        });
        tokio::task::spawn_blocking(move || told.recv().unwrap())
            .await
            .unwrap()
    }

    fn spans(&self) -> Vec<Span> {
        let bodies = self.bodies.lock().unwrap();
        bodies.iter().flat_map(|body| spans(body)).collect()
    }

    fn raw(&self) -> Vec<u8> {
        self.bodies.lock().unwrap().concat()
    }

    async fn wait(&self, what: &str, fits: impl Fn(&Span) -> bool) -> Span {
        eventually(what, SOON, || async {
            self.spans().into_iter().find(|span| fits(span))
        })
        .await
    }
}

fn hex(id: &str) -> Vec<u8> {
    let digits = id.replace('-', "");
    data_encoding::HEXLOWER
        .decode(digits.as_bytes())
        .expect("a UUID")
}

async fn traced(ratio: f64) -> (Stage, Collector) {
    let collector = Collector::default();
    let address = collector.start().await;
    let stage = Stage::new(|simulator| {
        let config = Config::new()
            .set("telemetry.otlp", format!("http://{address}"))
            .set("telemetry.ratio", ratio);
        config.channel(twilio(SMS, simulator))
    })
    .await;
    (stage, collector)
}

#[tokio::test]
async fn a_webhook_and_a_send_are_traces_with_their_parts() {
    let (mut stage, collector) = traced(1.0).await;
    let request = stage.hook(SMS).request(&Sms::new(ADA, "the secret text"));
    let answer = stage.post(&request).await;
    let id = answer.header("x-request-id").expect("an id").to_owned();
    let root = collector
        .wait("the webhook's span", |span| span.name == "webhook")
        .await;
    assert_eq!(root.trace, hex(&id), "the trace has the id of the request");
    assert!(root.parent.is_empty(), "{root:?}");
    assert_eq!(root.attributes["channel"], SMS);
    let under = |span: &Span, name: &str| {
        span.name == name && span.parent == root.id && span.trace == root.trace
    };
    let plugin = collector
        .wait("the plugin's span", |span| under(span, "plugin"))
        .await;
    assert_eq!(plugin.attributes["op"], "receive");
    collector
        .wait("the commit's span", |span| under(span, "commit"))
        .await;

    let body = json!({"channel": SMS, "to": ADA, "content": {"text": "the secret answer"}});
    let send = Request::new("POST", "/api/v1/messages").body("application/json", body.to_string());
    let answer = stage.daemon.api().send(send).await;
    let id = answer
        .reply
        .header("x-request-id")
        .expect("an id")
        .to_owned();
    let accept = collector
        .wait("the call's span", |span| span.name == "accept")
        .await;
    assert_eq!(accept.trace, hex(&id));
    let send = collector
        .wait("the send's span", |span| span.name == "send")
        .await;
    assert_eq!((&send.trace, &send.parent), (&accept.trace, &accept.id));
    assert_eq!(
        send.attributes["message"],
        answer.json["id"].as_str().unwrap()
    );
    let call = collector
        .wait("the provider call's span", |span| {
            span.name == "call" && span.parent == send.id
        })
        .await;
    assert_eq!(call.attributes["host"], "127.0.0.1");
    assert_eq!(call.attributes["answer"], "201");

    // What waits when the daemon ends is sent.
    stage
        .post(&stage.hook(SMS).request(&Sms::new(ADA, "the last")))
        .await;
    assert!(stage.daemon.terminate().await.success());
    let webhooks = collector
        .spans()
        .iter()
        .filter(|span| span.name == "webhook")
        .count();
    assert_eq!(webhooks, 2);
    let raw = String::from_utf8_lossy(&collector.raw()).into_owned();
    assert!(
        !raw.contains("secret") && !raw.contains("5005550101"),
        "content in a trace"
    );
    let calls = stage.simulator.twilio().requests();
    assert!(
        calls
            .iter()
            .all(|call| call.header("traceparent").is_none())
    );
}

#[tokio::test]
async fn a_ratio_of_nothing_sends_nothing_and_a_missing_collector_harms_nothing() {
    let (mut stage, collector) = traced(0.0).await;
    assert_eq!(stage.deliver(SMS, &Sms::new(ADA, "one")).await, 200);
    assert!(stage.daemon.terminate().await.success());
    assert_eq!(collector.spans(), []);

    let port = trunkline_tests::port::free_port();
    stage.daemon.rewrite(|config| {
        *config = std::mem::take(config)
            .set("telemetry.otlp", format!("http://127.0.0.1:{port}"))
            .set("telemetry.ratio", 1.0);
    });
    stage.daemon.launch().await;
    assert_eq!(stage.deliver(SMS, &Sms::new(ADA, "two")).await, 200);
    assert!(stage.daemon.terminate().await.success());
}
