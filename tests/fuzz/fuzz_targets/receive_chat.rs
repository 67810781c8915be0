//! Webhooks of the adapter `chat`: frames of visitors, which the daemon's door vouches for.

#![no_main]

use trunkline_fuzz::{receive, signer};
use trunkline_plugin_chat as _;

receive!("chat", tl_adapter_entry_v1, signer::chat);
