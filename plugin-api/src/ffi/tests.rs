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

#[test]
fn logging_outside_a_call_does_nothing() {
    log(LogLevel::Error, "test", "nobody listens");
}
