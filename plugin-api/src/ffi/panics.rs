//! What becomes of a panic: an answer to the host, and one line in its log that says where.

use std::{
    any::Any,
    panic::{self, AssertUnwindSafe, catch_unwind},
    sync::Once,
};

use super::{LogLevel, is_in_call, log};
use crate::wire::{Answer, Code};

/// Runs what the adapter wrote; a panic becomes an answer. Unwind safety is the host's business:
/// it gives a handle up after a panic.
pub(super) fn guarded(run: impl FnOnce() -> Answer) -> Answer {
    caught(run).unwrap_or_else(|words| Answer::words(Code::Panic, words))
}

/// Runs something; a panic becomes its words.
pub(super) fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
        let words = last_words(payload.as_ref()).to_owned();
        // A payload may panic when dropped, and nothing would catch that.
        std::mem::forget(payload);
        words
    })
}

/// From now on a panic in a call is told to the host in one line, in place of the report on standard
/// error: that one's backtrace takes long, and reads files, which a process of its own may not do. A
/// panic elsewhere, as in a test, is reported as before.
pub(super) fn tell_the_host() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !is_in_call() {
                return usual(info);
            }
            let words = last_words(info.payload());
            let line = match info.location() {
                Some(place) => format!("panicked at {place}: {words}"),
                None => format!("panicked: {words}"),
            };
            log(LogLevel::Error, "panic", &line);
        }));
    });
}

fn last_words(payload: &(dyn Any + Send)) -> &str {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without words")
}
