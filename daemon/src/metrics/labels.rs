//! The labels of metrics. Their values are ids of channels, of which there are as many as are
//! configured, and words of closed sets: nothing that a stranger sends becomes one.

use std::borrow::Cow;

use prometheus_client::encoding::EncodeLabelSet;

/// Labels that know their names.
pub(super) trait Labels {
    /// In the order in which they are written.
    const NAMES: &'static [&'static str];
}

macro_rules! labels {
    ($($name:ident { $($label:ident: $kind:ty),* })*) => {$(
        #[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
        pub(super) struct $name {
            $(pub(super) $label: $kind,)*
        }

        impl Labels for $name {
            const NAMES: &'static [&'static str] = &[$(stringify!($label)),*];
        }
    )*};
}

labels! {
    ByChannel { channel: String }
    ByOutcome { channel: String, outcome: &'static str }
    ByReason { channel: String, reason: &'static str }
    ByClass { channel: String, class: &'static str }
    ByStatus { channel: String, status: &'static str }
    ByState { channel: String, state: &'static str }
    ByPlugin { plugin: String }
    ByKind { kind: &'static str }
    ByCall { channel: String, op: &'static str, outcome: &'static str }
    ByOp { op: &'static str }
    ByRequest { listener: &'static str, route: Cow<'static, str>, status: u16 }
    ByResult { outcome: &'static str }
    ByPart { part: &'static str }
    ByRefusal { reason: &'static str }
    Build { version: &'static str }
}
