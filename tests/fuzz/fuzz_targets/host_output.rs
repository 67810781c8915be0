//! Whatever a plugin writes, in whatever pieces and under whatever return code, the host decodes or refuses.

#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkline_fuzz::echo;

fuzz_target!(|data: &[u8]| echo::check(data));
