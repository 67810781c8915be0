//! Webhooks of the adapter in C: its own JSON reader, under the address sanitizer.

#![no_main]

use trunkline_fuzz::{receive, signer};

receive!("example-c", tl_example_c_entry_v1, signer::example_c);
