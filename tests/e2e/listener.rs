//! Clients of the public listener that take too long, come too often or say too much.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use trunkline_tests::config::Config;
use trunkline_tests::http::{Connection, Request};
use trunkline_tests::twilio::Sms;
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::{SMS, Stage, twilio};

const ADA: &str = "+15005550101";

async fn stage(keys: &[(&str, &str)]) -> Stage {
    Stage::new(|simulator| {
        let config = Config::new().channel(twilio(SMS, simulator));
        keys.iter().fold(config, |config, (key, value)| {
            config.set(&format!("server.limits.{key}"), *value)
        })
    })
    .await
}

/// A connection from this address of the machine.
async fn connect_from(host: u8, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((IpAddr::V4(Ipv4Addr::new(127, 0, 0, host)), 0).into())?;
    socket.connect(to).await
}

async fn refused(stage: &Stage, reason: &str) -> u64 {
    let api = stage.daemon.api();
    let text = api.get_any("/metrics").await.reply.text();
    let name = format!("trunkline_public_refused_total{{reason=\"{reason}\"}} ");
    let found = text.lines().find_map(|line| line.strip_prefix(&name));
    found.map_or(0, |count| count.parse().expect("a number"))
}

/// Everything that comes until the end; a reset is one.
async fn until_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(SOON, stream.read_to_end(&mut answer)).await;
    match read.expect("the daemon ends the connection") {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Writes one byte after the other until the other side has had enough.
async fn trickle(stream: &mut TcpStream, byte: u8) -> Duration {
    let started = Instant::now();
    let mut peek = [0];
    while started.elapsed() < SOON {
        if stream.write_all(&[byte]).await.is_err() {
            return started.elapsed();
        }
        let pause = Duration::from_millis(20);
        if tokio::time::timeout(pause, stream.peek(&mut peek))
            .await
            .is_ok()
        {
            return started.elapsed();
        }
    }
    panic!("a client may trickle for ever");
}

#[tokio::test]
async fn a_head_that_trickles_is_cut_on_a_new_connection_and_on_a_kept_one() {
    let stage = stage(&[("head_timeout", "400ms"), ("keep_alive", "5s")]).await;
    let to = stage.daemon.public();
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nx: ")
        .await
        .unwrap();
    let took = trickle(&mut stream, b'a').await;
    assert!(took < Duration::from_secs(3), "{took:?}");
    let answer = until_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");

    let mut stream = TcpStream::connect(to).await.unwrap();
    let request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut first = [0; 4096];
    let len = stream.read(&mut first).await.unwrap();
    assert!(first[..len].starts_with(b"HTTP/1.1 200 "));
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nx: ")
        .await
        .unwrap();
    let took = trickle(&mut stream, b'a').await;
    assert!(took < Duration::from_secs(3), "{took:?}");
    let answer = until_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(refused(&stage, "slow_head").await, 2);
    assert_eq!(stage.deliver(SMS, &Sms::new(ADA, "hello")).await, 200);
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let stage = stage(&[("head_timeout", "300ms"), ("keep_alive", "300ms")]).await;
    let to = stage.daemon.public();
    let mut silent = TcpStream::connect(to).await.unwrap();
    assert_eq!(until_end(&mut silent).await, "", "nothing was asked");
    let mut kept = Connection::open(to).await.unwrap();
    let request = Request::new("GET", "/healthz").bytes();
    assert_eq!(kept.status_of(&request).await.unwrap(), 200);
    let is_over = tokio::time::timeout(SOON, kept.is_over()).await;
    assert_eq!(
        is_over,
        Ok(true),
        "kept for longer than [server.limits] says"
    );
    eventually("no connection is counted any more", SOON, || async {
        let api = stage.daemon.api();
        let open = api.metric("trunkline_public_connections").await;
        (open == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_body_that_trickles_is_cut_and_one_that_flows_is_not() {
    let stage = stage(&[
        ("body_grace", "300ms"),
        ("body_rate_min", "1KiB"),
        ("body_timeout", "5s"),
    ])
    .await;
    let target = stage.daemon.path(SMS);
    let mut stream = TcpStream::connect(stage.daemon.public()).await.unwrap();
    let head = format!("POST {target} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9000\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let took = trickle(&mut stream, b'a').await;
    assert!(took < Duration::from_secs(3), "{took:?}");
    let answer = until_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(refused(&stage, "slow_body").await, 1);

    let request = stage
        .hook(SMS)
        .request(&Sms::new(ADA, &"word ".repeat(800)));
    let bytes = request.bytes();
    let mut flowing = Connection::open(stage.daemon.public()).await.unwrap();
    let (last, rest) = bytes.split_last().unwrap();
    for piece in rest.chunks(500) {
        flowing.write(piece).await.unwrap();
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    assert_eq!(flowing.status_of(&[*last]).await.unwrap(), 200);
}

#[tokio::test]
async fn heads_have_bounds() {
    let stage = stage(&[("head_bytes_max", "8KiB"), ("target_bytes_max", "2KiB")]).await;
    let target = stage.daemon.path(SMS);
    let get = |target: String| Request::new("GET", target);
    let many = (0..200).fold(get("/healthz".into()), |request, number| {
        request.header("x-many", number.to_string())
    });
    let cases = [
        (get(format!("/healthz?{}", "q".repeat(3_000))), 414),
        (get(format!("/nowhere/{}", "q".repeat(3_000))), 414),
        (
            get("/healthz".into()).header("x-large", "a".repeat(9_000)),
            431,
        ),
        (get(target).header("x-large", "a".repeat(9_000)), 431),
        (
            get("/healthz".into()).header("x-large", "a".repeat(200_000)),
            431,
        ),
        (many, 431),
        (
            get("/healthz".into()).header("x-large", "a".repeat(7_000)),
            200,
        ),
    ];
    for (request, status) in cases {
        let mut connection = Connection::open(stage.daemon.public()).await.unwrap();
        // The daemon need not read all of it.
        let answered = connection.send(&request.bytes()).await;
        match answered {
            Ok(reply) => assert_eq!(reply.status, status),
            Err(error) => {
                let is_cut = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
                assert!(is_cut.contains(&error.kind()), "{status}: {error}");
                assert_ne!(status, 200);
            }
        }
    }
    assert_eq!(refused(&stage, "long_target").await, 2);
    assert_eq!(refused(&stage, "large_head").await, 2);
    assert_eq!(stage.deliver(SMS, &Sms::new(ADA, "hello")).await, 200);
}

/// Resident memory of a process in kB.
fn resident_kb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap()
}

#[tokio::test]
async fn a_thousand_connections_of_one_address_leave_room_for_another() {
    let stage = Stage::new(|simulator| {
        Config::new()
            .set("server.trusted_proxies", Vec::<String>::new())
            .set("server.limits.connections_per_address", 100)
            .set("server.limits.connections_max", 500)
            .set("server.limits.head_timeout", "30s")
            .channel(twilio(SMS, simulator))
    })
    .await;
    let to = stage.daemon.public();
    let before = resident_kb(stage.daemon.pid());
    let mut held = Vec::new();
    for _ in 0..1_000 {
        held.push(connect_from(9, to).await.unwrap());
    }
    eventually("those over the limit are turned away", SOON, || async {
        (refused(&stage, "connections_per_address").await == 900).then_some(())
    })
    .await;
    let mut last = held.pop().unwrap();
    let answer = until_end(&mut last).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    let grown = resident_kb(stage.daemon.pid()).saturating_sub(before);
    assert!(grown < 32 << 10, "memory grew by {grown} kB");

    let request = stage.hook(SMS).request(&Sms::new(ADA, "let me in"));
    let stream = connect_from(2, to).await.unwrap();
    let reply = Connection::over(stream).send(&request.bytes()).await;
    assert_eq!(reply.unwrap().status, 200, "another address is served");

    let told = stage.daemon.log();
    let lines = told.lines().filter(|line| line.contains("turned away"));
    assert!((1..20).contains(&lines.count()), "the log is bounded");
    drop(held);
    eventually("the address may come back", SOON, || async {
        let stream = connect_from(9, to).await.ok()?;
        let request = Request::new("GET", "/healthz").bytes();
        let status = Connection::over(stream).status_of(&request).await.ok()?;
        (status == 200).then_some(())
    })
    .await;
}
