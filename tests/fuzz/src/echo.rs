//! A plugin whose answers are the fuzzer's bytes: the host must decode or refuse whatever comes.
//!
//! ```text
//! which function: 1 byte | return code: 1 byte | size of one write: 1 byte | what it writes
//! ```

use std::{cell::RefCell, ptr};

use serde_json::{Value, json};
use trunkline_host::{CallError, Instance, LinkedTable, Plugin};
use trunkline_plugin_api::{
    MediaRef, OutboundMessage, ReceivedRef, Sent, Turn, WebhookRequest,
    ffi::{ADAPTER_SIZE, AdapterV1, Bytes, Handle, Host, Sink},
    wire::{ABI_MINOR, Code, MAGIC, Op},
};

/// Bytes of one answer; more is refused, so that this is met too.
const OUTPUT_BYTES_MAX: usize = 2_048;
/// Bytes of the body that attachments are looked for in.
const BODY: &[u8] = b"0123456789";
/// Bytes of a plugin's own words that an error may hold, and some of the host's.
const WORDS_BYTES_MAX: usize = 4_096;

/// What the function that is asked for answers.
#[derive(Clone, Default)]
struct Said {
    function: Option<Function>,
    code: i32,
    write_bytes: usize,
    bytes: Vec<u8>,
}

/// A function of the table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Function {
    Describe,
    Open,
    Call(Op),
}

thread_local! {
    static SAID: RefCell<Said> = RefCell::default();
}

static TABLE: AdapterV1 = AdapterV1 {
    magic: MAGIC,
    struct_size: ADAPTER_SIZE,
    abi_minor: ABI_MINOR,
    flags: 0,
    reserved: 0,
    describe: Some(describe),
    open: Some(open),
    call: Some(call),
    close: Some(close),
};

/// Has one function of the plugin answer these bytes.
pub fn check(data: &[u8]) {
    let [which, code, write, bytes @ ..] = data else {
        return;
    };
    let function = function(*which);
    let said = Said {
        function: Some(function),
        code: return_code(*code),
        write_bytes: usize::from(*write),
        bytes: bytes.to_vec(),
    };
    SAID.set(Said::default());
    let plugin = plugin().expect("its own manifest is sound");
    let opened = plugin.open("fuzzed", &Value::Null);
    let (instance, _) = opened.expect("its own facts are sound");
    SAID.set(said);
    let outcome = match function {
        Function::Describe => self::plugin().map(drop),
        Function::Open => match plugin.open("fuzzed", &Value::Null) {
            Ok(_) => Ok(()),
            Err(error) => return in_bounds(&error.to_string()),
        },
        Function::Call(op) => asked(&instance, op),
    };
    if let Err(error) = &outcome {
        in_bounds(&error.to_string());
    }
    if bytes.len() > OUTPUT_BYTES_MAX {
        assert_eq!(outcome, Err(CallError::TooLarge));
    }
}

/// The seed of an answer.
pub fn seed(which: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![which, 0, 0];
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

/// The first byte of an answer to this call; to `describe` and `open` it is 0 and 1.
pub fn which(op: Op) -> u8 {
    u8::try_from(op.number() + 1).expect("a small number")
}

fn function(which: u8) -> Function {
    let functions = [Function::Describe, Function::Open]
        .into_iter()
        .chain(Op::ALL.map(Function::Call));
    let functions = Vec::from_iter(functions);
    functions[usize::from(which) % functions.len()]
}

/// Panics are rare: a handle is given up after each, with a few bytes.
fn return_code(byte: u8) -> i32 {
    match byte {
        0..=199 => Code::Ok as i32,
        200..=229 => Code::Error as i32,
        230..=239 => Code::BadInput as i32,
        240..=244 => Code::Unsupported as i32,
        245 => Code::Panic as i32,
        other => i32::from(other) - 250,
    }
}

fn plugin() -> Result<Plugin, CallError> {
    // SAFETY: the table is static, and its functions are those below.
    let table = unsafe { LinkedTable::new(&raw const TABLE) }.expect("a whole table");
    Plugin::linked(table, OUTPUT_BYTES_MAX)
}

fn asked(instance: &Instance, op: Op) -> Result<(), CallError> {
    let turn = Turn::default();
    let message = OutboundMessage::default();
    match op {
        Op::Receive => {
            let request = WebhookRequest {
                body: BODY.into(),
                ..WebhookRequest::default()
            };
            instance.receive(&request).map(drop)
        }
        Op::Send => instance.send(&message, &turn).map(drop),
        Op::Probe => instance.probe(&turn).map(drop),
        Op::DeliveryStatus => {
            let sent = Sent {
                id: "m".into(),
                external_id: "x".into(),
                to: message.to,
                sent_at_ms: 0,
            };
            instance.delivery_status(&sent, &turn).map(drop)
        }
        Op::FindSent => instance.find_sent(&message, &turn).map(drop),
        Op::ListInbound => instance.list_inbound(0, &turn).map(drop),
        Op::Templates => instance.templates(&turn).map(drop),
        Op::FetchMedia => instance.fetch_media(&MediaRef::default(), &turn).map(drop),
        Op::MarkRead => {
            let mark = ReceivedRef {
                external_id: "x".into(),
                sender: message.to,
                typing: false,
            };
            instance.mark_read(&mark, &turn).map(drop)
        }
        Op::Complete => instance.complete(&json!({"a": 1}), &turn).map(drop),
    }
}

/// An error is shown in logs and lists: it is short, whatever the plugin says.
fn in_bounds(words: &str) {
    assert!(
        words.len() <= WORDS_BYTES_MAX,
        "{} bytes of words: {words}",
        words.len()
    );
}

/// Writes what was said for this function, else `own`.
///
/// # Safety
/// `out` is the host's sink.
unsafe fn answer(function: Function, own: &Value, out: *const Sink) -> i32 {
    let said = SAID.with_borrow(Clone::clone);
    let (code, bytes, at_once) = if said.function == Some(function) {
        (said.code, said.bytes, said.write_bytes)
    } else {
        let own = own.to_string();
        (
            0,
            [&(own.len() as u64).to_le_bytes(), own.as_bytes()].concat(),
            0,
        )
    };
    let at_once = if at_once == 0 {
        bytes.len().max(1)
    } else {
        at_once
    };
    for piece in bytes.chunks(at_once) {
        // SAFETY: by this function's own condition.
        let sink = unsafe { &*out };
        let write = sink.write.expect("the host's sink writes");
        // SAFETY: the host's function takes its own context and any bytes.
        let _full = unsafe { write(sink.ctx, piece.as_ptr(), piece.len()) };
    }
    code
}

unsafe extern "C" fn describe(out: *const Sink) -> i32 {
    let manifest = json!({
        "id": "echo", "version": "1", "name": "Echo", "media": ["sms"], "capabilities": [],
        "config_schema": {"type": "object"},
    });
    // SAFETY: the host gives its sink.
    unsafe { answer(Function::Describe, &manifest, out) }
}

unsafe extern "C" fn open(
    _: *const Host,
    _: Bytes,
    handle: *mut *mut Handle,
    out: *const Sink,
) -> i32 {
    // SAFETY: the host gives a place for one pointer; this one is never followed.
    unsafe { handle.write(ptr::dangling_mut()) };
    let facts = json!({"media": ["sms"], "space": "phone", "can_receive": true, "can_send": true});
    // SAFETY: the host gives its sink.
    unsafe { answer(Function::Open, &facts, out) }
}

unsafe extern "C" fn call(
    _: *mut Handle,
    op: u32,
    _: *const Bytes,
    _: usize,
    out: *const Sink,
) -> i32 {
    let op = Op::from_number(op).expect("the host makes the calls that there are");
    // SAFETY: the host gives its sink.
    unsafe { answer(Function::Call(op), &Value::Null, out) }
}

unsafe extern "C" fn close(_: *mut Handle) {}
