//! Webhooks of the adapter `twilio`: Twilio's forms and JSON, signed over URL and parameters.

#![no_main]

use trunkline_fuzz::{receive, signer};
use trunkline_plugin_twilio as _;

receive!(
    "twilio",
    tl_adapter_entry_v1,
    signer::twilio,
    signer::twilio_parameters
);
