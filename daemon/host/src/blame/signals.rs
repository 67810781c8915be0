//! The handlers. All they do is allowed in a signal handler: reading memory of their own thread, `getpid`, one
//! `write`, `sigaction`, `raise`.

use std::{
    ffi::{c_int, c_void},
    fs, io, mem,
    os::{fd::IntoRawFd, unix::fs::OpenOptionsExt},
    path::Path,
    ptr,
    sync::{
        Once, OnceLock,
        atomic::{AtomicI32, Ordering},
    },
};

use super::{Frame, RUNNING, record};

/// What ends a process by its own doing, with the name that the record gives it.
const FATAL: [(c_int, &str); 5] = [
    (libc::SIGABRT, "SIGABRT"),
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGFPE, "SIGFPE"),
];

/// The open record; -1 before there is one. Never closed: a handler may run at any time.
static RECORD: AtomicI32 = AtomicI32::new(-1);
/// What was there before the handlers, in the order of [`FATAL`].
static BEFORE: [OnceLock<libc::sigaction>; 5] = [const { OnceLock::new() }; 5];

/// From here on, a plugin's code that ends this process is named in a record below `state`.
pub(in super::super) fn watch(state: &Path) -> io::Result<()> {
    static INSTALLED: Once = Once::new();
    let record = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
        .open(record::path(state))?;
    RECORD.store(record.into_raw_fd(), Ordering::Release);
    INSTALLED.call_once(install);
    Ok(())
}

fn install() {
    for ((signal, _), before) in FATAL.iter().zip(&BEFORE) {
        // SAFETY: all zero is a `sigaction` without flags and with an empty mask.
        let mut ours: libc::sigaction = unsafe { mem::zeroed() };
        ours.sa_sigaction =
            on_signal as extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) as usize;
        // On the stack that std gives every thread for this: where the own one has overflown there is no other.
        ours.sa_flags = libc::SA_ONSTACK | libc::SA_SIGINFO;
        // SAFETY: as above.
        let mut there: libc::sigaction = unsafe { mem::zeroed() };
        // SAFETY: both point at whole structs. What is there is read before the handler can run.
        let read = unsafe { libc::sigaction(*signal, ptr::null(), &raw mut there) };
        if read == 0 && before.set(there).is_ok() {
            // SAFETY: the handler keeps to what handlers may do.
            unsafe { libc::sigaction(*signal, &raw const ours, ptr::null_mut()) };
        }
    }
    // SAFETY: the function takes nothing, and lives as long as the process.
    unsafe { libc::atexit(on_exit) };
}

extern "C" fn on_signal(signal: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: the address of this thread's own errno.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let kept = unsafe { *errno };
    // SAFETY: the kernel gives a valid struct with SA_SIGINFO.
    let (code, sender) = unsafe { ((*info).si_code, (*info).si_pid()) };
    // Zero and below: somebody called `kill`, `raise` or `abort`.
    let was_sent = code <= 0;
    // SAFETY: no arguments, always succeeds.
    let from_elsewhere = was_sent && sender != unsafe { libc::getpid() };
    let index = FATAL.iter().position(|(fatal, _)| *fatal == signal);
    if let Some(index) = index {
        if !from_elsewhere {
            write(FATAL[index].1);
        }
        hand_on(signal, index, was_sent);
    }
    // SAFETY: as above.
    unsafe { *errno = kept };
}

/// Has the action that was there take its course: a fault happens again when this returns, what was
/// sent is sent again.
fn hand_on(signal: c_int, index: usize, was_sent: bool) {
    let before = BEFORE[index].get().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: what `sigaction` itself gave, and no more.
    unsafe { libc::sigaction(signal, before, ptr::null_mut()) };
    if was_sent {
        // SAFETY: it stays pending until the handler has returned.
        unsafe { libc::raise(signal) };
    }
}

/// `exit` called by a plugin ends the daemon as well.
extern "C" fn on_exit() {
    if !RUNNING.get().is_null() {
        write("exit");
    }
}

/// Writes what this thread is at and how it ended, in one piece.
fn write(how: &str) {
    let record = RECORD.load(Ordering::Acquire);
    if record < 0 {
        return;
    }
    let mut line = Line::default();
    let running: *const Frame<'_> = RUNNING.get();
    // SAFETY: a frame of this thread's stack, which stands as long as the pointer to it.
    match unsafe { running.as_ref() } {
        Some(frame) => {
            line.add(&frame.suspect.line);
            line.add(" ");
            line.add(frame.op);
        }
        None => line.add(record::NOBODY),
    }
    line.add(" ");
    line.add(how);
    line.add("\n");
    // SAFETY: the bytes are there; a write that fails has nobody to be told.
    unsafe { libc::write(record, line.bytes.as_ptr().cast(), line.len) };
}

/// Text on the stack: a handler can't allocate.
struct Line {
    bytes: [u8; record::LINE_BYTES_MAX],
    len: usize,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            bytes: [0; record::LINE_BYTES_MAX],
            len: 0,
        }
    }
}

impl Line {
    fn add(&mut self, text: &str) {
        let room = &mut self.bytes[self.len..];
        let len = text.len().min(room.len());
        room[..len].copy_from_slice(&text.as_bytes()[..len]);
        self.len += len;
    }
}
