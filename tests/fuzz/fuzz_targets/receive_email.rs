//! Webhooks of the adapter `email`: mails posted or by LMTP, and Resend's webhooks.

#![no_main]

use trunkline_fuzz::{receive, signer};
use trunkline_plugin_email as _;

receive!("email", tl_adapter_entry_v1, signer::email);
