//! Webhooks of the adapter `telegram`: one update each, with the secret in its header.

#![no_main]

use trunkline_fuzz::{receive, signer};
use trunkline_plugin_telegram as _;

receive!("telegram", tl_adapter_entry_v1, signer::telegram);
