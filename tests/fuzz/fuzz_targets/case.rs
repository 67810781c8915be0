//! Whatever a fixture case holds, it is read or refused; what was read comes back from what is written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_plugin_api::testkit::case::Case;

fuzz_target!(|data: &[u8]| {
    if let Ok(case) = serde_json::from_slice::<Case>(data) {
        let again: Case =
            serde_json::from_str(&case.to_text()).expect("what was written is a case");
        assert_eq!(again, case);
    }
});
