//! What the fuzz targets share.
//!
//! | module | what |
//! |---|---|
//! | `sample` | bytes as a webhook: a channel of the fixtures, a mode, and the request as text |
//! | `receiver` | an adapter behind its real C table and the host, and what must hold for any webhook |
//! | `signer` | signs a webhook as the provider would, so that what is behind the proof is reached |
//! | `echo` | a plugin whose answers are the fuzzer's bytes, for the host's own decoding |
//! | `seeds` | the seeds of every target, made of the fixtures |

pub mod echo;
pub mod receiver;
pub mod sample;
pub mod seeds;
pub mod signer;

pub use trunkline_plugin_api;

use std::path::{Path, PathBuf};

use trunkline_plugin_api::testkit::case::{CaseChannel, read_channels};

/// The fixtures of an adapter, by the folder that it is in.
pub fn fixtures(plugin: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.join("../../plugins").join(plugin).join("fixtures")
}

/// The channels in the fixtures of an adapter.
pub fn channels(plugin: &str) -> Vec<CaseChannel> {
    let folder = fixtures(plugin);
    let channels = read_channels(&folder).unwrap_or_else(|error| panic!("{error}"));
    assert!(
        !channels.is_empty(),
        "{} holds no channel",
        folder.display()
    );
    channels
}

/// A target for the webhooks of one adapter: the folder of its fixtures, the function that gives its table,
/// what signs its webhooks and, where one signature fits several bodies, the text that is signed.
#[macro_export]
macro_rules! receive {
    ($plugin:literal, $entry:ident, $sign:path) => {
        $crate::receive!(@ $plugin, $entry, $sign, None);
    };
    ($plugin:literal, $entry:ident, $sign:path, $signed:path) => {
        $crate::receive!(@ $plugin, $entry, $sign, Some($signed));
    };
    (@ $plugin:literal, $entry:ident, $sign:path, $signed:expr) => {
        unsafe extern "C" {
            fn $entry() -> *const $crate::trunkline_plugin_api::ffi::AdapterV1;
        }

        static RECEIVER: std::sync::LazyLock<$crate::receiver::Receiver> =
            std::sync::LazyLock::new(|| {
                // SAFETY: the adapter that is linked in exports this name with this type, and its table is static.
                unsafe { $crate::receiver::Receiver::new($plugin, $entry(), $sign, $signed) }
            });

        libfuzzer_sys::fuzz_target!(|data: &[u8]| RECEIVER.check(data));
    };
}
