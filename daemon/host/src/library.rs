//! The C table of a plugin behind a safe face: with the sandbox of workers the only
//! unsafe code of the daemon.
//!
//! What is trusted here, and can't be checked: that a library whose note, exports, magic and
//! sizes are right keeps to `trunkline_plugin.h`. What is not trusted: everything it writes.

use std::{
    error::Error as _,
    ffi::c_void,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    ptr::{self, NonNull},
    slice,
    sync::atomic::{AtomicBool, Ordering},
};

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use trunkline_plugin_api::{
    ffi::{self, AdapterV1, Bytes, Export, Host, Sink},
    wire::{ABI_MINOR, Code, MAGIC},
};

use super::{error::printable, speaker::Say};

/// Bytes of a plugin's log line that are kept.
const LOG_BYTES_MAX: usize = 2048;
/// Bytes of a plugin's log target that are kept.
const LOG_TARGET_BYTES_MAX: usize = 128;
/// Most answers fit: one allocation instead of several, of a size that allocators keep at hand.
const OUTPUT_BYTES_USUAL: usize = 1024;

/// Parts of one call; more than the interface has, so that a plugin can be asked about too many.
pub(super) const CALL_PARTS_MAX: usize = 32;

type Describe = unsafe extern "C" fn(*const Sink) -> i32;
type Open = unsafe extern "C" fn(*const Host, Bytes, *mut *mut ffi::Handle, *const Sink) -> i32;
type Call = unsafe extern "C" fn(*mut ffi::Handle, u32, *const Bytes, usize, *const Sink) -> i32;
type Close = unsafe extern "C" fn(*mut ffi::Handle);

/// The functions of a plugin, none of them missing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    describe: Describe,
    open: Open,
    call: Call,
    close: Close,
}

/// What a function of a plugin returned and wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The return value, as it came.
    pub code: i32,
    /// The parts, as they came.
    pub bytes: Vec<u8>,
    /// The plugin wrote more than allowed.
    pub overflowed: bool,
}

impl Table {
    /// Loads a library for good. Only ever give it a private copy that nobody changes: the file
    /// stays mapped until the daemon ends.
    pub(super) fn load(path: &Path) -> Result<Self, String> {
        // SAFETY: this runs the library's initialisers; owner, mode, pin and exports were checked
        // before, and running its code is what a plugin is for.
        let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }
            .map_err(|error| format!("could not be loaded: {}", loader_words(&error)))?;
        // SAFETY: the header gives this symbol this type.
        let entry = unsafe {
            library.get::<unsafe extern "C" fn() -> *const AdapterV1>(b"tl_adapter_entry_v1\0")
        };
        let table = match entry {
            // SAFETY: the library is loaded, and is never unloaded from here on.
            Ok(entry) => Self::read(unsafe { entry() }),
            Err(error) => Err(format!(
                "exports no tl_adapter_entry_v1: {}",
                loader_words(&error)
            )),
        };
        // Also where it is refused: code of it has run, and may have left threads behind.
        mem::forget(library);
        table
    }

    /// The table of an adapter in this process.
    pub(super) fn of<E: Export>() -> Self {
        Self::complete(&ffi::table::<E>()).expect("the table of the crate is complete")
    }

    fn read(table: *const AdapterV1) -> Result<Self, String> {
        if table.is_null() || !table.is_aligned() {
            return Err("gives no table".into());
        }
        // SAFETY: every version of the table has these two fields at its start.
        let (magic, size) = unsafe { ((*table).magic, (*table).struct_size) };
        if magic != MAGIC {
            return Err(format!(
                "its table begins with {magic:#018x}, not with the magic {MAGIC:#018x}"
            ));
        }
        if size < ffi::ADAPTER_SIZE {
            return Err(format!(
                "its table has {size} bytes, ABI 1 has {}",
                ffi::ADAPTER_SIZE
            ));
        }
        // SAFETY: `struct_size` says that all fields of the first version are there.
        Self::complete(unsafe { &*table })
    }

    fn complete(table: &AdapterV1) -> Result<Self, String> {
        let missing = |name: &str| format!("its table has no function {name}");
        Ok(Self {
            describe: table.describe.ok_or_else(|| missing("describe"))?,
            open: table.open.ok_or_else(|| missing("open"))?,
            call: table.call.ok_or_else(|| missing("call"))?,
            close: table.close.ok_or_else(|| missing("close"))?,
        })
    }

    /// Asks for the manifest.
    pub(super) fn describe(&self, output_bytes_max: usize) -> Output {
        collect(output_bytes_max, |sink| {
            // SAFETY: the sink is valid during the call.
            unsafe { (self.describe)(sink) }
        })
    }

    /// Opens a channel. There is a handle only where the plugin returned 0 and gave one.
    pub(super) fn open(
        &self,
        say: Say,
        input: &[u8],
        output_bytes_max: usize,
    ) -> (Output, Option<Handle>) {
        self.open_with(say, input, output_bytes_max, ffi::HOST_SIZE)
    }

    /// The same with a host struct that says another size of itself.
    pub(super) fn open_with(
        &self,
        say: Say,
        input: &[u8],
        output_bytes_max: usize,
        host_struct_size: u32,
    ) -> (Output, Option<Handle>) {
        let host = HostBlock::leak(say, host_struct_size);
        let mut raw = ptr::null_mut();
        let output = collect(output_bytes_max, |sink| {
            // SAFETY: input and sink are valid during the call, the host block until the handle
            // is closed, and `raw` is a place for one pointer.
            unsafe {
                (self.open)(
                    &raw const (*host).host,
                    Bytes::of(input),
                    &raw mut raw,
                    sink,
                )
            }
        });
        match NonNull::new(raw) {
            Some(raw) if output.code == 0 => {
                let handle = Handle {
                    table: *self,
                    raw,
                    host,
                    abandoned: AtomicBool::new(false),
                };
                (output, Some(handle))
            }
            _ => {
                // A plugin that refuses is done with the host. One that broke off half way may
                // have kept its address.
                if is_refusal(output.code) {
                    // SAFETY: the plugin has returned and holds no channel: nobody else has it.
                    drop(unsafe { Box::from_raw(host) });
                }
                (output, None)
            }
        }
    }
}

/// The table of an adapter that is linked into this process, C ones included: for fuzzing and measuring it
/// without a file.
#[derive(Debug, Clone, Copy)]
pub struct LinkedTable(pub(super) Table);

impl LinkedTable {
    /// Checks a table as that of a file is checked. An error says what is wrong with it.
    ///
    /// # Safety
    /// `table` is null, or points at what `tl_adapter_entry_v1` of an adapter returned: it stays as it is
    /// until the process ends, and its functions keep to `trunkline_plugin.h`.
    pub unsafe fn new(table: *const AdapterV1) -> Result<Self, String> {
        Table::read(table).map(Self)
    }
}

/// What the loader said: the error itself says no more than that it failed.
fn loader_words(error: &libloading::Error) -> String {
    match error.source() {
        Some(source) => printable(&source.to_string()),
        None => error.to_string(),
    }
}

fn is_refusal(code: i32) -> bool {
    let refusals = [Code::Error, Code::Unsupported, Code::BadInput];
    Code::from_number(code).is_some_and(|code| refusals.contains(&code))
}

/// An opened channel of a plugin; closed when dropped, which is after all its calls.
#[derive(Debug)]
pub(super) struct Handle {
    table: Table,
    raw: NonNull<ffi::Handle>,
    /// Owned, but read by the plugin at any time, so it is no `Box`.
    host: *mut HostBlock,
    abandoned: AtomicBool,
}

// SAFETY: the interface demands that `call` may run on any threads at once, and `close` on any
// thread; the host block is only read.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    /// Makes one call, with at most [`CALL_PARTS_MAX`] parts.
    pub(super) fn call(&self, op: u32, parts: &[&[u8]], output_bytes_max: usize) -> Output {
        let mut places = [Bytes::of(&[]); CALL_PARTS_MAX];
        for (place, part) in places.iter_mut().zip(parts) {
            *place = Bytes::of(part);
        }
        let count = parts.len().min(CALL_PARTS_MAX);
        collect(output_bytes_max, |sink| {
            // SAFETY: the handle is open until the drop; `places` has `count` parts and more; they and
            // the sink are valid during the call.
            unsafe { (self.table.call)(self.raw.as_ptr(), op, places.as_ptr(), count, sink) }
        })
    }

    /// Gives the handle up: after a panic its state is unknown, so not even `close` is called.
    pub(super) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.abandoned.load(Ordering::Acquire) {
            return;
        }
        // SAFETY: this is the one place that closes, and nobody else holds the handle. After it
        // the plugin may no longer use the host block, which `HostBlock::leak` made.
        unsafe {
            (self.table.close)(self.raw.as_ptr());
            drop(Box::from_raw(self.host));
        }
    }
}

/// Where a function writes to.
struct Buffer {
    bytes: Vec<u8>,
    bytes_max: usize,
    overflowed: bool,
}

fn collect(bytes_max: usize, run: impl FnOnce(*const Sink) -> i32) -> Output {
    let mut buffer = Buffer {
        bytes: Vec::with_capacity(OUTPUT_BYTES_USUAL.min(bytes_max)),
        bytes_max,
        overflowed: false,
    };
    let sink = Sink {
        ctx: (&raw mut buffer).cast(),
        write: Some(append),
    };
    let code = run(&raw const sink);
    Output {
        code,
        bytes: buffer.bytes,
        overflowed: buffer.overflowed,
    }
}

unsafe extern "C" fn append(ctx: *mut c_void, ptr: *const u8, len: usize) -> i32 {
    // SAFETY: `ctx` is the buffer of the running call, and a plugin writes from the thread that
    // it was called on.
    let buffer = unsafe { &mut *ctx.cast::<Buffer>() };
    if buffer.overflowed {
        return 1;
    }
    if len == 0 {
        return 0;
    }
    let fits = len <= buffer.bytes_max - buffer.bytes.len();
    // `try_reserve`: running out of memory must not unwind through C.
    if ptr.is_null() || !fits || buffer.bytes.try_reserve(len).is_err() {
        buffer.overflowed = true;
        return 1;
    }
    // SAFETY: the plugin gives `len` readable bytes.
    buffer
        .bytes
        .extend_from_slice(unsafe { slice::from_raw_parts(ptr, len) });
    0
}

/// The host struct with what its `ctx` points at, at an address that does not change.
struct HostBlock {
    host: Host,
    say: Say,
}

impl HostBlock {
    /// A block that lives until somebody takes it back into a `Box`.
    fn leak(say: Say, struct_size: u32) -> *mut Self {
        let host = Host {
            struct_size,
            abi_minor: ABI_MINOR,
            ctx: ptr::null_mut(),
            log: Some(log),
        };
        let block = Box::into_raw(Box::new(Self { host, say }));
        // SAFETY: the block was made in the line above, and nobody else knows it yet.
        unsafe { (*block).host.ctx = (&raw mut (*block).say).cast() };
        block
    }
}

unsafe extern "C" fn log(ctx: *mut c_void, level: u32, target: Bytes, message: Bytes) {
    // SAFETY: `ctx` is what the host block holds, which is only read and outlives the handle.
    let say = unsafe { &*ctx.cast::<Say>().cast_const() };
    // SAFETY: the plugin gives readable bytes.
    let target = unsafe { text(target, LOG_TARGET_BYTES_MAX) };
    // SAFETY: as above.
    let message = unsafe { text(message, LOG_BYTES_MAX) };
    // A subscriber that panics must not unwind through C. There is nobody to tell.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        say(level, &target, &message);
    }));
}

/// Text of a plugin: bounded, on one line, with strange bytes replaced.
///
/// # Safety
/// `bytes` points at `len` readable bytes, or is null.
unsafe fn text(bytes: Bytes, bytes_max: usize) -> String {
    if bytes.ptr.is_null() {
        return String::new();
    }
    // SAFETY: by this function's own condition; at most `len` bytes are read.
    let bytes = unsafe { slice::from_raw_parts(bytes.ptr, bytes.len.min(bytes_max)) };
    printable(&String::from_utf8_lossy(bytes))
}
