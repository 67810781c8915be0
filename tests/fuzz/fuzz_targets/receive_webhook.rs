//! Webhooks of the adapter `webhook`: Standard Webhooks, GitHub's signature, a shared secret.

#![no_main]

use trunkline_fuzz::{receive, signer};
use trunkline_plugin_webhook as _;

receive!("webhook", tl_adapter_entry_v1, signer::webhook);
