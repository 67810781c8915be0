//! Whatever a file in the plugins' folder holds, it is read without running it, or refused in words.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_plugin_api::ffi::is_id;

fuzz_target!(|data: &[u8]| match trunkline_host::note_of(data) {
    Ok(note) => assert!(is_id(&note.id), "{note:?}"),
    Err(words) => assert!(!words.is_empty() && words.len() < 4_096, "{words}"),
});
