//! The C interface: the types of `include/trunkline_plugin.h`, and the functions that
//! [`crate::export_adapter!`] puts into an adapter's table. The only unsafe code of this crate.
//!
//! Every function catches panics: one that crossed `extern "C"` would end the daemon.

mod lent;
mod panics;
#[cfg(test)]
mod tests;

use std::{cell::Cell, ffi::c_void, marker::PhantomData, ptr, slice};

use crate::{
    Adapter, RawBody,
    wire::{self, ABI_MINOR, Answer, Code, MAGIC, Op, PARTS_MAX},
};
pub(crate) use lent::Lent;
use panics::{caught, guarded};

/// `tl_bytes`: bytes that belong to the caller and live as long as the call.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Bytes {
    /// First byte; may be null where `len` is 0.
    pub ptr: *const u8,
    /// How many.
    pub len: usize,
}

impl Bytes {
    /// Points at a slice.
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            ptr: bytes.as_ptr(),
            len: bytes.len(),
        }
    }
}

/// `tl_sink`: where results are written. Valid during the call that it was given to.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Sink {
    /// Given back to `write`.
    pub ctx: *mut c_void,
    /// Appends bytes; anything but 0 means that the host takes no more.
    pub write: Option<unsafe extern "C" fn(ctx: *mut c_void, ptr: *const u8, len: usize) -> i32>,
}

/// `tl_host`: what the host offers. Valid until the handle is closed.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Host {
    /// Size of this struct as the host knows it, in bytes.
    pub struct_size: u32,
    /// Minor version of the interface that the host speaks.
    pub abi_minor: u32,
    /// Given back to `log`.
    pub ctx: *mut c_void,
    /// Writes a line into the daemon's log; callable from any thread during a call.
    pub log: Option<unsafe extern "C" fn(*mut c_void, level: u32, target: Bytes, message: Bytes)>,
}

/// `tl_handle`: an opened channel, known to the plugin alone.
#[derive(Debug)]
#[repr(C)]
pub struct Handle {
    _private: [u8; 0],
    // Neither `Send` nor `Sync` by itself: the host says what it may do with it.
    _marker: PhantomData<*mut ()>,
}

/// `tl_adapter_v1`: the table behind `tl_adapter_entry_v1`. Fields are only ever added at its end.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct AdapterV1 {
    /// [`wire::MAGIC`].
    pub magic: u64,
    /// Size of this struct as the plugin knows it, in bytes.
    pub struct_size: u32,
    /// Minor version of the interface that the plugin speaks.
    pub abi_minor: u32,
    /// None is defined: 0.
    pub flags: u64,
    /// 0.
    pub reserved: u64,
    /// Writes the manifest.
    pub describe: Option<unsafe extern "C" fn(out: *const Sink) -> i32>,
    /// Opens a channel.
    pub open: Option<
        unsafe extern "C" fn(
            host: *const Host,
            config: Bytes,
            handle: *mut *mut Handle,
            out: *const Sink,
        ) -> i32,
    >,
    /// Runs one call; several may run at once on one handle.
    pub call: Option<
        unsafe extern "C" fn(
            handle: *mut Handle,
            op: u32,
            parts: *const Bytes,
            n: usize,
            out: *const Sink,
        ) -> i32,
    >,
    /// Ends a channel, once, after all its calls.
    pub close: Option<unsafe extern "C" fn(handle: *mut Handle)>,
}

/// `struct_size` of the first version of [`AdapterV1`]; a smaller table is refused.
#[allow(
    clippy::cast_possible_truncation,
    reason = "TryFrom is not const; the struct has 64 bytes"
)]
pub const ADAPTER_SIZE: u32 = size_of::<AdapterV1>() as u32;
/// `struct_size` of the first version of [`Host`]; a smaller one is refused.
#[allow(
    clippy::cast_possible_truncation,
    reason = "TryFrom is not const; the struct has 24 bytes"
)]
pub const HOST_SIZE: u32 = size_of::<Host>() as u32;

/// An adapter with the constants that the macro knows.
pub trait Export: 'static {
    /// The adapter.
    type Adapter: Adapter;
    /// Its id.
    const ID: &'static str;
    /// The plugin crate's version.
    const VERSION: &'static str;
}

/// True for what may be an adapter's id: 1 to 32 lower-case letters, digits and `_`.
pub const fn is_id(id: &str) -> bool {
    let bytes = id.as_bytes();
    let mut index = 0;
    while index < bytes.len() {
        if !matches!(bytes[index], b'a'..=b'z' | b'0'..=b'9' | b'_') {
            return false;
        }
        index += 1;
    }
    matches!(bytes.len(), 1..=32)
}

/// The table of an exported adapter.
pub const fn table<E: Export>() -> AdapterV1 {
    AdapterV1 {
        magic: MAGIC,
        struct_size: ADAPTER_SIZE,
        abi_minor: ABI_MINOR,
        flags: 0,
        reserved: 0,
        describe: Some(describe::<E>),
        open: Some(open::<E>),
        call: Some(call::<E>),
        close: Some(close::<E>),
    }
}

/// What a [`Handle`] of this crate really is.
struct Channel<A> {
    adapter: A,
    host: *const Host,
}

unsafe extern "C" fn describe<E: Export>(out: *const Sink) -> i32 {
    let answer = guarded(|| wire::describe::<E::Adapter>(E::ID, E::VERSION));
    // SAFETY: the host's sink is valid during this call.
    unsafe { write(out, &answer) }
}

unsafe extern "C" fn open<E: Export>(
    host: *const Host,
    config: Bytes,
    handle: *mut *mut Handle,
    out: *const Sink,
) -> i32 {
    // SAFETY: the host gives null or a struct that is valid until the handle is closed, and whose
    // first field every version has.
    let host_is_known = !host.is_null() && unsafe { (*host).struct_size } >= HOST_SIZE;
    if !host_is_known || handle.is_null() {
        let answer = Answer::words(Code::BadInput, "tl_host is missing or too small");
        // SAFETY: the host's sink is valid during this call.
        return unsafe { write(out, &answer) };
    }
    panics::tell_the_host();
    // SAFETY: the host's bytes are valid during this call.
    let input = unsafe { borrow(config) };
    let answer = guarded(|| {
        let _logging = Logging::to(host);
        match wire::open::<E::Adapter>(input) {
            Ok((adapter, answer)) => {
                let channel = Box::new(Channel { adapter, host });
                // SAFETY: the host gave a place for one pointer, checked for null above.
                unsafe { handle.write(Box::into_raw(channel).cast()) };
                answer
            }
            Err(answer) => answer,
        }
    });
    // SAFETY: the host's sink is valid during this call.
    unsafe { write(out, &answer) }
}

unsafe extern "C" fn call<E: Export>(
    handle: *mut Handle,
    op: u32,
    parts: *const Bytes,
    n: usize,
    out: *const Sink,
) -> i32 {
    let answer = if handle.is_null() || n > PARTS_MAX || (parts.is_null() && n > 0) {
        Answer::words(Code::BadInput, "no handle, no parts or too many of them")
    } else {
        // SAFETY: the handle came from `open::<E>`, is not closed yet, and is only ever shared.
        let channel = unsafe { &*handle.cast::<Channel<E::Adapter>>().cast_const() };
        let mut borrowed: [&[u8]; PARTS_MAX] = [&[]; PARTS_MAX];
        for (index, place) in borrowed.iter_mut().enumerate().take(n) {
            // SAFETY: `parts` has `n` elements, and each points at bytes that live as long as
            // this call.
            *place = unsafe { borrow(*parts.add(index)) };
        }
        guarded(|| {
            let _logging = Logging::to(channel.host);
            answer(&channel.adapter, op, &borrowed[..n])
        })
    };
    // SAFETY: the host's sink is valid during this call.
    unsafe { write(out, &answer) }
}

/// Runs one call; a webhook's body is read where the host has it.
fn answer<A: Adapter>(adapter: &A, op: u32, parts: &[&[u8]]) -> Answer {
    let [json, body, ..] = parts else {
        return wire::answer(adapter, op, parts);
    };
    if op != Op::Receive.number() {
        return wire::answer(adapter, op, parts);
    }
    // SAFETY: the bytes are borrowed until this function returns. `wire::receive` drops the body
    // before that, by a panic too: it becomes part of a request of which the adapter gets a shared
    // reference, out of which nothing can be moved or swapped (there is no `Cell` in it), and whose
    // clone is a copy of the bytes. A thread can hold the reference no longer than the call either.
    let body = RawBody::lent(unsafe { Lent::new(body) });
    wire::receive(adapter, json, body)
}

unsafe extern "C" fn close<E: Export>(handle: *mut Handle) {
    if handle.is_null() {
        return;
    }
    // SAFETY: the handle came from `open::<E>`, and the host closes it once, after all calls.
    let channel = unsafe { Box::from_raw(handle.cast::<Channel<E::Adapter>>()) };
    // There is no answer to give if dropping panics.
    let _words = caught(|| {
        let _logging = Logging::to(channel.host);
        drop(channel);
    });
}

/// Writes the parts of an answer and gives its code.
///
/// # Safety
/// `out` is null or a sink that is valid during this call.
unsafe fn write(out: *const Sink, answer: &Answer) -> i32 {
    // SAFETY: by this function's own condition.
    if let Some(sink) = unsafe { out.as_ref() }
        && let Some(write) = sink.write
    {
        let put = |bytes: &[u8]| {
            // SAFETY: the host's function takes its own context and any bytes.
            unsafe { write(sink.ctx, bytes.as_ptr(), bytes.len()) == 0 }
        };
        let part = |bytes: &[u8]| put(&(bytes.len() as u64).to_le_bytes()) && put(bytes);
        // Where the host takes no more it knows so itself; there is nothing left to say to it.
        let _full = !(part(&answer.json) && (answer.raw.is_empty() || part(&answer.raw)));
    }
    answer.code as i32
}

/// The slice behind bytes of the host.
///
/// # Safety
/// `bytes` points at `len` bytes that live for `'a`, or `len` is 0.
unsafe fn borrow<'a>(bytes: Bytes) -> &'a [u8] {
    if bytes.ptr.is_null() || bytes.len == 0 {
        return &[];
    }
    // SAFETY: by this function's own condition.
    unsafe { slice::from_raw_parts(bytes.ptr, bytes.len) }
}

/// How loud a line in the daemon's log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum LogLevel {
    /// Something is broken.
    Error = 1,
    /// Something needs a look.
    Warn = 2,
    /// Worth knowing.
    Info = 3,
    /// For the author of an adapter.
    Debug = 4,
    /// Every detail.
    Trace = 5,
}

thread_local! {
    /// The host of the call that this thread is in; null outside.
    static HOST: Cell<*const Host> = const { Cell::new(ptr::null()) };
}

/// Lends the host to [`log`] for the length of a call.
struct Logging {
    before: *const Host,
}

impl Logging {
    fn to(host: *const Host) -> Self {
        Self {
            before: HOST.replace(host),
        }
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        HOST.set(self.before);
    }
}

/// Whether this thread is in a call of the host's.
fn is_in_call() -> bool {
    !HOST.get().is_null()
}

/// Writes a line into the daemon's log, under the channel that the running call is for. Does
/// nothing outside a call and in the test kit. Never give it a secret or a message's text.
pub fn log(level: LogLevel, target: &str, message: &str) {
    let host = HOST.get();
    // SAFETY: `HOST` is null or the host of the call that this thread is in, which outlives it.
    if let Some(host) = unsafe { host.as_ref() }
        && let Some(log) = host.log
    {
        let (target, message) = (Bytes::of(target.as_bytes()), Bytes::of(message.as_bytes()));
        // SAFETY: the host's function takes its own context and bytes that outlive the call.
        unsafe { log(host.ctx, level as u32, target, message) };
    }
}
