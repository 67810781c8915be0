//! The macro that makes a shared library out of an adapter.

/// Exports an adapter: `export_adapter!(Twilio, id = "twilio");`, once, in a crate with
/// `crate-type = ["cdylib"]`.
///
/// The id is what `adapter = "..."` names in the configuration: lower-case letters, digits and
/// `_`. The version is the crate's own. Both also go into the file's note ([`crate::note`]).
///
/// Refuses to compile with `panic = "abort"`: a panic must end one call, not the daemon.
#[macro_export]
macro_rules! export_adapter {
    ($adapter:ty, id = $id:literal) => {
        const _: () = {
            #[cfg(panic = "abort")]
            compile_error!("an adapter needs panic = \"unwind\": the daemon outlives its panics");

            struct Exported;

            impl $crate::ffi::Export for Exported {
                type Adapter = $adapter;
                const ID: &'static str = $id;
                const VERSION: &'static str = env!("CARGO_PKG_VERSION");
            }

            assert!(
                $crate::ffi::is_id($id),
                "an adapter's id is 1 to 32 lower-case letters, digits and _"
            );

            #[used]
            #[cfg_attr(target_os = "linux", unsafe(link_section = ".note.trunkline"))]
            static NOTE: $crate::note::NoteBytes<
                { $crate::note::size($id, env!("CARGO_PKG_VERSION")) },
            > = $crate::note::bytes($id, env!("CARGO_PKG_VERSION"));

            static TABLE: $crate::ffi::AdapterV1 = $crate::ffi::table::<Exported>();

            /// The table of this adapter.
            #[unsafe(no_mangle)]
            pub extern "C" fn tl_adapter_entry_v1() -> *const $crate::ffi::AdapterV1 {
                &raw const TABLE
            }
        };
    };
}
