//! Webhooks of the adapter `whatsapp`: Meta's batches, signed over the body.

#![no_main]

use trunkline_fuzz::{receive, signer};
use trunkline_plugin_whatsapp as _;

receive!("whatsapp", tl_adapter_entry_v1, signer::whatsapp);
