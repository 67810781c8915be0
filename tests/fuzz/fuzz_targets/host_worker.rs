//! Whatever a worker process sends, in whatever pieces it comes, it is read as bounded frames or refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_host::worker::read_stream;

/// Bytes of a payload; frames that say more are refused, so that this is met too.
const PAYLOAD_BYTES_MAX: usize = 1_024;
/// Bytes before each payload.
const HEAD_BYTES: usize = 12;

fuzz_target!(|data: &[u8]| {
    let [step, bytes @ ..] = data else {
        return;
    };
    let (frames, error) = read_stream(bytes, usize::from(*step), PAYLOAD_BYTES_MAX);
    assert!(frames * HEAD_BYTES <= bytes.len(), "{frames} frames");
    let (whole, same) = read_stream(bytes, bytes.len(), PAYLOAD_BYTES_MAX);
    assert_eq!(
        (frames, error.to_string()),
        (whole, same.to_string()),
        "it depends on the pieces"
    );
});
