//! Webhooks of the adapter `vonage`: signed parameters and tokens with the body's hash.

#![no_main]

use trunkline_fuzz::{receive, signer};
use trunkline_plugin_vonage as _;

receive!("vonage", tl_adapter_entry_v1, signer::vonage);
