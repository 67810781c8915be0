//! The edges of the table that a sound host never touches.

use serde_json::json;

use super::*;
use crate::{
    AdapterError, Facts, Manifest, Medium, OpenContext, OutboundMessage, Probe, Receipt, Received,
    Response, Step, Turn, WebhookRequest,
};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Quiet {}

impl Adapter for Quiet {
    type Config = Self;

    fn manifest() -> Manifest {
        Manifest::new("Quiet", [Medium::Webhook], [])
    }

    fn open(config: Self, _: OpenContext) -> Result<(Self, Facts), AdapterError> {
        Ok((config, Facts::new(Medium::Webhook, "webhook")))
    }

    fn receive(&self, _: &WebhookRequest) -> Received {
        Received::authentic(Response::status(200), Vec::new())
    }

    fn send(&self, _: &OutboundMessage, _: Turn) -> Step<Receipt> {
        Step::unsupported("send")
    }

    fn probe(&self, _: Turn) -> Step<Probe> {
        Step::unsupported("probe")
    }
}

impl Export for Quiet {
    type Adapter = Self;
    const ID: &'static str = "quiet";
    const VERSION: &'static str = "1.0.0";
}

const TABLE: AdapterV1 = table::<Quiet>();

/// Opens with a host that says it has this size.
fn open_with(struct_size: u32) -> (i32, *mut Handle) {
    let host = Host {
        struct_size,
        abi_minor: 7,
        ctx: ptr::null_mut(),
        log: None,
    };
    let input = json!({"context": {"channel": "x", "later": 1}, "config": {}, "later": 1});
    let input = input.to_string();
    let mut handle = ptr::null_mut();
    let open = TABLE.open.expect("a whole table");
    // SAFETY: host, input and handle outlive the call, and a null sink is allowed. No call is
    // made on the handle after the host is gone.
    let code = unsafe {
        open(
            &raw const host,
            Bytes::of(input.as_bytes()),
            &raw mut handle,
            ptr::null(),
        )
    };
    (code, handle)
}

#[test]
fn the_hosts_size_is_checked() {
    assert_eq!(
        (ADAPTER_SIZE, HOST_SIZE),
        (64, 24),
        "the first version's sizes never change"
    );
    for size in [HOST_SIZE, 4096] {
        let (code, handle) = open_with(size);
        assert_eq!(code, Code::Ok as i32, "{size} bytes");
        // SAFETY: the handle was opened in the line above and is closed once.
        unsafe { TABLE.close.expect("a whole table")(handle) };
    }
    let (code, handle) = open_with(HOST_SIZE - 1);
    assert_eq!(code, Code::BadInput as i32);
    assert!(handle.is_null());
}

#[test]
fn null_is_refused() {
    let mut handle = ptr::null_mut();
    let none = Bytes::of(&[]);
    // SAFETY: the functions allow null for the host, the handle and the sink.
    let (opened, called) = unsafe {
        TABLE.close.expect("a whole table")(ptr::null_mut());
        let open = TABLE.open.expect("a whole table");
        let call = TABLE.call.expect("a whole table");
        (
            open(ptr::null(), none, &raw mut handle, ptr::null()),
            call(ptr::null_mut(), 1, ptr::null(), 2, ptr::null()),
        )
    };
    assert_eq!(
        (opened, called),
        (Code::BadInput as i32, Code::BadInput as i32)
    );
}

/// Echoes where it found the body, and hands a copy out.
struct Looks(std::sync::Mutex<Option<(usize, WebhookRequest)>>);

impl Adapter for Looks {
    type Config = Quiet;

    fn manifest() -> Manifest {
        Quiet::manifest()
    }

    fn open(_: Quiet, _: OpenContext) -> Result<(Self, Facts), AdapterError> {
        Ok((Self(None.into()), Facts::new(Medium::Webhook, "webhook")))
    }

    fn receive(&self, request: &WebhookRequest) -> Received {
        assert_ne!(&*request.body, b"panic", "asked for");
        let at = request.body.as_ptr() as usize;
        *self.0.lock().expect("no panic") = Some((at, request.clone()));
        Received::authentic(
            Response::with_body(200, "text/plain", &*request.body),
            vec![],
        )
    }

    fn send(&self, _: &OutboundMessage, _: Turn) -> Step<Receipt> {
        Step::unsupported("send")
    }

    fn probe(&self, _: Turn) -> Step<Probe> {
        Step::unsupported("probe")
    }
}

#[test]
fn a_webhooks_body_is_read_in_place_and_its_clone_outlives_it() {
    let adapter = Looks(None.into());
    let request = WebhookRequest {
        method: "POST".into(),
        ..WebhookRequest::default()
    };
    let json = serde_json::to_vec(&request).expect("plain strings");
    let body = vec![0, 159, 146];
    let read = answer(&adapter, Op::Receive.number(), &[&json, &body]);
    assert_eq!((read.code, &read.raw), (Code::Ok, &body));
    let whole = wire::answer(&adapter, Op::Receive.number(), &[&json, &body]);
    assert_eq!(read, whole, "a copied body reads the same");

    let again = answer(&adapter, Op::Receive.number(), &[&json, &body]);
    assert_eq!(again, read);
    let seen = adapter.0.lock().expect("no panic").take();
    let (at, copy) = seen.expect("it was called");
    assert_eq!(at, body.as_ptr() as usize, "the host's own bytes");
    drop(body);
    assert_eq!(&*copy.body, [0, 159, 146]);
    assert_eq!(copy.method, "POST");
}

#[test]
fn a_webhook_without_a_readable_head_or_with_a_panic_is_answered() {
    let adapter = Looks(None.into());
    let receive = |parts: &[&[u8]]| guarded(|| answer(&adapter, Op::Receive.number(), parts));
    assert_eq!(receive(&[]).code, Code::BadInput);
    assert_eq!(receive(&[b"{", b"body"]).code, Code::BadInput);
    let json = serde_json::to_vec(&WebhookRequest::default()).expect("plain strings");
    assert_eq!(receive(&[&json]).code, Code::Ok, "no body at all");
    assert_eq!(receive(&[&json, b"panic"]).code, Code::Panic);
}

#[test]
fn a_lent_body_is_copied_when_it_is_changed_or_taken() {
    let host = b"hello".to_vec();
    // SAFETY: `host` outlives both bodies and is not changed.
    let lend = || RawBody::lent(unsafe { Lent::new(&host) });
    let mut changed = lend();
    assert_eq!(changed, RawBody::from("hello"));
    changed.to_mut().make_ascii_uppercase();
    assert_eq!((&*changed, host.as_slice()), (&b"HELLO"[..], &b"hello"[..]));
    assert_eq!(lend().into_vec(), host);
    assert_ne!(lend().clone().as_ptr(), host.as_ptr());
}

#[test]
fn logging_outside_a_call_does_nothing() {
    log(LogLevel::Error, "test", "nobody listens");
}
