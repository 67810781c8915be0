//! Conversations with a scripted server.

use std::time::Duration;

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use trunkline_plugin_api::{
    Body, SmtpReply, SmtpRequest, SmtpTls, TransportError, TransportKind as Kind,
};

use super::{Means, send};
use crate::{
    model::OrgId,
    outbound::transport::{BodyStream, Trust},
    store::{EngineOptions, Store},
};

/// What the server does next.
#[derive(Debug, Clone, Copy)]
enum Move {
    /// Says this line.
    Say(&'static str),
    /// Reads one line, which must begin so.
    Hear(&'static str),
    /// Reads lines up to a dot by itself.
    HearMail,
    /// Says nothing more, and keeps the connection.
    Hang,
}
use Move::{Hang, Hear, HearMail, Say};

const GREETING: [Move; 3] = [
    Say("220 mx ESMTP"),
    Hear("EHLO "),
    Say("250-mx\r\n250-8BITMIME\r\n250 SIZE 1000"),
];
const ENVELOPE: [Move; 6] = [
    Hear("MAIL FROM:<a@example.com> SIZE="),
    Say("250 2.1.0 ok"),
    Hear("RCPT TO:<b@example.org>"),
    Say("250 2.1.5 ok"),
    Hear("DATA"),
    Say("354 go on"),
];

/// Plays the moves to one client, then closes. Gives what it heard.
async fn play(listener: TcpListener, moves: Vec<Move>) -> Vec<String> {
    let (stream, _) = listener.accept().await.unwrap();
    let mut stream = BufReader::new(stream);
    let mut heard = Vec::new();
    for next in moves {
        match next {
            Say(line) => say(&mut stream, line).await,
            Hear(start) => {
                let line = hear(&mut stream).await;
                assert!(line.starts_with(start), "{line:?} where {start:?} was due");
                heard.push(line);
            }
            HearMail => loop {
                let line = hear(&mut stream).await;
                heard.push(line.clone());
                if line == "." {
                    break;
                }
            },
            Hang => {
                // Ends when the client has given up.
                while !hear(&mut stream).await.is_empty() {}
            }
        }
    }
    heard
}

async fn say(stream: &mut BufReader<TcpStream>, line: &str) {
    let line = format!("{line}\r\n");
    stream.get_mut().write_all(line.as_bytes()).await.unwrap();
}

async fn hear(stream: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    // A client that breaks off is a line without words.
    let _ = stream.read_line(&mut line).await;
    line.trim_end_matches("\r\n").to_owned()
}

struct Server {
    port: u16,
    heard: JoinHandle<Vec<String>>,
}

impl Server {
    async fn playing(parts: &[&[Move]]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self {
            port: listener.local_addr().unwrap().port(),
            heard: tokio::spawn(play(listener, parts.concat())),
        }
    }
}

fn mail(port: u16, text: &str) -> SmtpRequest {
    SmtpRequest {
        host: "127.0.0.1".into(),
        port,
        tls: SmtpTls::None,
        username: None,
        password: None,
        mail_from: "a@example.com".into(),
        rcpt_to: vec!["b@example.org".into()],
        data: Body::Bytes {
            bytes: text.as_bytes().to_vec(),
        },
    }
}

/// The mail; no file is needed for it.
fn opened(request: &SmtpRequest) -> BodyStream {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(folder.path(), EngineOptions::default()).unwrap();
    BodyStream::open(&store, OrgId::SYSTEM, &request.data).unwrap()
}

async fn handed(request: &SmtpRequest) -> Result<SmtpReply, TransportError> {
    let means = Means {
        name: "gw.example.com".into(),
        trust: &Trust::default(),
        allow_private: true,
        step: Duration::from_millis(400),
    };
    let body = opened(request);
    send(request, body, &means).await
}

/// The outcome of a mail to a server that plays these moves.
async fn outcome(parts: &[&[Move]]) -> Result<SmtpReply, TransportError> {
    let server = Server::playing(parts).await;
    handed(&mail(server.port, "Subject: x\r\n\r\nhello\r\n")).await
}

#[tokio::test]
async fn a_mail_is_handed_over_line_by_line() {
    let end = [
        HearMail,
        Say("250 2.0.0 queued as 7"),
        Hear("QUIT"),
        Say("221 bye"),
    ];
    let server = Server::playing(&[&GREETING, &ENVELOPE, &end]).await;
    let reply = handed(&mail(server.port, "Subject: x\n\n.dot\nend"))
        .await
        .unwrap();
    assert_eq!(
        (reply.code, reply.enhanced.as_deref()),
        (250, Some("2.0.0"))
    );
    assert_eq!(reply.text, "queued as 7");
    let heard = server.heard.await.unwrap();
    assert_eq!(heard[0], "EHLO gw.example.com");
    assert_eq!(heard[4..], ["Subject: x", "", "..dot", "end", ".", "QUIT"]);
}

#[tokio::test]
async fn what_breaks_before_the_final_dot_was_surely_not_sent() {
    let table: [(&str, &[&[Move]], Kind); 7] = [
        ("no greeting", &[&[Hang]], Kind::TimeoutBeforeSend),
        ("closed at once", &[&[]], Kind::Connect),
        (
            "not SMTP",
            &[&[Say("HTTP/1.1 400 Bad Request")]],
            Kind::Connect,
        ),
        (
            "hangs at EHLO",
            &[&GREETING[..2], &[Hang]],
            Kind::TimeoutBeforeSend,
        ),
        (
            "hangs at DATA",
            &[&GREETING, &ENVELOPE[..5], &[Hang]],
            Kind::TimeoutBeforeSend,
        ),
        (
            "closes at RCPT",
            &[&GREETING, &ENVELOPE[..3]],
            Kind::Connect,
        ),
        (
            "closes at DATA",
            &[&GREETING, &ENVELOPE[..5]],
            Kind::Connect,
        ),
    ];
    for (name, moves, kind) in table {
        let error = outcome(moves).await.expect_err(name);
        assert_eq!(error.kind, kind, "{name}: {error:?}");
    }
}

#[tokio::test]
async fn what_breaks_after_the_final_dot_may_have_been_sent() {
    let table: [(&str, &[Move]); 3] = [
        ("hangs", &[HearMail, Hang]),
        ("closes", &[HearMail]),
        ("answers nonsense", &[HearMail, Say("ok")]),
    ];
    for (name, last) in table {
        let error = outcome(&[&GREETING, &ENVELOPE, last])
            .await
            .expect_err(name);
        assert_eq!(error.kind, Kind::TimeoutAfterSend, "{name}: {error:?}");
    }
}

#[tokio::test]
async fn a_refusal_at_any_step_is_the_reply() {
    type Row<'a> = (&'a [&'a [Move]], u16, Option<&'a str>);
    let table: [Row<'_>; 7] = [
        (&[&[Say("554 5.3.2 not today")]], 554, Some("5.3.2")),
        (
            &[&GREETING[..2], &[Say("421 4.3.2 closing")]],
            421,
            Some("4.3.2"),
        ),
        (
            &[&GREETING, &ENVELOPE[..1], &[Say("550 5.7.1 no")]],
            550,
            Some("5.7.1"),
        ),
        (
            &[&GREETING, &ENVELOPE[..3], &[Say("450 4.7.1 greylisted")]],
            450,
            Some("4.7.1"),
        ),
        (&[&GREETING, &ENVELOPE[..5], &[Say("451 wait")]], 451, None),
        (
            &[&GREETING, &ENVELOPE, &[HearMail, Say("554 5.7.1 spam")]],
            554,
            Some("5.7.1"),
        ),
        (
            &[&GREETING, &ENVELOPE, &[HearMail, Say("452 4.3.1 full")]],
            452,
            Some("4.3.1"),
        ),
    ];
    for (moves, code, enhanced) in table {
        let reply = outcome(moves).await.unwrap();
        assert_eq!(
            (reply.code, reply.enhanced.as_deref()),
            (code, enhanced),
            "{moves:?}"
        );
    }
}

#[tokio::test]
async fn all_recipients_are_asked_about_and_one_refusal_sends_to_none() {
    let recipients = [
        Hear("MAIL"),
        Hear("RCPT TO:<b@example.org>"),
        Hear("RCPT TO:<c@example.org>"),
        Hear("RCPT TO:<d@example.org>"),
        Say("250 ok\r\n450 4.2.1 later\r\n550 5.1.1 unknown\r\n250 ok"),
        Hear("QUIT"),
    ];
    let greeting = [GREETING[0], GREETING[1], Say("250-mx\r\n250 PIPELINING")];
    let server = Server::playing(&[&greeting, &recipients]).await;
    let mut request = mail(server.port, "x");
    let more = ["c@example.org", "d@example.org"].map(str::to_owned);
    request.rcpt_to.extend(more);
    let reply = handed(&request).await.unwrap();
    assert_eq!(
        (reply.code, reply.enhanced.as_deref()),
        (550, Some("5.1.1"))
    );
    server.heard.await.unwrap();
}

#[tokio::test]
async fn what_the_server_can_not_take_is_refused_in_its_words() {
    let table = [
        ("b@example.org", "a".repeat(1001), 552),
        ("bö@example.org", "x".to_owned(), 553),
    ];
    for (to, text, code) in table {
        let server = Server::playing(&[&GREETING, &[Hear("QUIT")]]).await;
        let mut request = mail(server.port, &text);
        request.rcpt_to = vec![to.to_owned()];
        assert_eq!(handed(&request).await.unwrap().code, code);
        server.heard.await.unwrap();
    }
    let greeting = [GREETING[0], GREETING[1], Say("250 mx")];
    let server = Server::playing(&[&greeting, &[Hear("QUIT")]]).await;
    assert_eq!(handed(&mail(server.port, "grün")).await.unwrap().code, 554);
}

#[tokio::test]
async fn knocking_sends_nothing() {
    let moves = [
        Hear("NOOP"),
        Say("250 2.0.0 ok"),
        Hear("QUIT"),
        Say("221 bye"),
    ];
    let server = Server::playing(&[&GREETING, &moves]).await;
    let mut request = mail(server.port, "");
    request.rcpt_to.clear();
    request.mail_from.clear();
    assert_eq!(handed(&request).await.unwrap().code, 250);
    server.heard.await.unwrap();
}

#[tokio::test]
async fn both_ways_to_authenticate_are_spoken() {
    let known = |server: &Server| SmtpRequest {
        username: Some("ada".into()),
        password: Some("secret".into()),
        ..mail(server.port, "x")
    };
    let plain = [
        GREETING[0],
        GREETING[1],
        Say("250-mx\r\n250 AUTH LOGIN PLAIN"),
        Hear("AUTH PLAIN AGFkYQBzZWNyZXQ="),
        Say("535 5.7.8 wrong"),
    ];
    let server = Server::playing(&[&plain]).await;
    let reply = handed(&known(&server)).await.unwrap();
    assert_eq!(
        (reply.code, reply.enhanced.as_deref()),
        (535, Some("5.7.8"))
    );
    let login = [
        GREETING[0],
        GREETING[1],
        Say("250-mx\r\n250 AUTH LOGIN"),
        Hear("AUTH LOGIN"),
        Say("334 VXNlcm5hbWU6"),
        Hear("YWRh"),
        Say("334 UGFzc3dvcmQ6"),
        Hear("c2VjcmV0"),
        Say("535 5.7.8 wrong"),
    ];
    let server = Server::playing(&[&login]).await;
    assert_eq!(handed(&known(&server)).await.unwrap().code, 535);
    let server = Server::playing(&[&GREETING]).await;
    let error = handed(&known(&server)).await.unwrap_err();
    assert_eq!(error.kind, Kind::Forbidden, "{error:?}");
    assert!(
        !error.detail.contains("secret") && error.detail.contains("AUTH"),
        "{error:?}"
    );
}

#[tokio::test]
async fn nothing_is_said_in_the_open_where_starttls_was_asked_for() {
    let offering = [
        GREETING[0],
        GREETING[1],
        Say("250-mx\r\n250 STARTTLS"),
        Hear("STARTTLS"),
    ];
    let injected = [Say("220 go\r\n250-injected\r\n250 AUTH PLAIN")];
    let table: [(&str, &[&[Move]]); 4] = [
        ("not offered", &[&GREETING]),
        ("refused", &[&offering, &[Say("454 4.7.0 no")]]),
        ("more than the answer", &[&offering, &injected, &[Hang]]),
        (
            "not TLS",
            &[&offering, &[Say("220 go"), Hear(""), Say("250 what?")]],
        ),
    ];
    for (name, moves) in table {
        let server = Server::playing(moves).await;
        let request = SmtpRequest {
            tls: SmtpTls::StartTls,
            username: Some("ada".into()),
            password: Some("secret".into()),
            ..mail(server.port, "x")
        };
        let error = handed(&request).await.expect_err(name);
        assert_eq!(error.kind, Kind::Tls, "{name}: {error:?}");
    }
}

#[tokio::test]
async fn an_envelope_can_not_carry_commands_and_private_addresses_are_not_called() {
    for address in ["a>\r\nDATA", "a b@example.org", "", "<a@example.org>"] {
        let mut request = mail(1, "x");
        request.rcpt_to = vec![address.to_owned()];
        assert_eq!(
            handed(&request).await.unwrap_err().kind,
            Kind::Forbidden,
            "{address:?}"
        );
    }
    let request = mail(1, "x");
    let trust = Trust::default();
    let means = Means {
        name: "gw.example.com".into(),
        trust: &trust,
        allow_private: false,
        step: Duration::from_millis(400),
    };
    for host in ["127.0.0.1", "[::1]", "localhost"] {
        let request = SmtpRequest {
            host: host.into(),
            ..request.clone()
        };
        let body = opened(&request);
        let error = send(&request, body, &means).await.unwrap_err();
        assert_eq!(error.kind, Kind::Forbidden, "{host}: {error:?}");
    }
}
