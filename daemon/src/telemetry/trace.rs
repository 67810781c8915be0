//! Traces: what one webhook or one send took, and where, for a collector of OpenTelemetry.
//!
//! ```text
//! webhook ─┬─ plugin receive            accept (API) ── send ─┬─ plugin send
//!          ├─ commit                                          ├─ call (HTTP, SMTP)
//!          └─ send (an answer to a word) ─ ...                └─ plugin send
//! ```
//!
//! A trace's id is the id of the request that began it, so a log line leads to its trace. The id of
//! its first span follows from that, so a send, which comes later, is put under the webhook or the
//! API call that it answers without anything being kept for it. Whether a trace is kept follows
//! from its id too: all of it or nothing.
//!
//! Where no collector is configured a span costs one look at an empty place.

mod export;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_util::future::Either;
use opentelemetry::{
    Context, KeyValue, SpanId, TraceFlags, TraceId,
    trace::{
        Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt as _, TraceState,
        Tracer as _,
    },
};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span};
use parking_lot::Mutex;
use uuid::Uuid;

use crate::config::Telemetry;

/// Time for what is left when the daemon ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

static EXPORT: OnceLock<Export> = OnceLock::new();

struct Export {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    /// Traces whose mixed id is below this are kept.
    below: u64,
}

tokio::task_local! {
    /// The span that this task works for.
    static CURRENT: Trace;
}

/// A span under way: ends when its last clone is dropped. Nothing where nothing is traced.
#[derive(Clone, Default)]
pub struct Trace(Option<Arc<Mutex<Span>>>);

/// Begins exporting where a collector is configured. The error is a phrase for people.
pub(super) fn start(config: &Telemetry) -> Result<(), String> {
    if config.otlp.is_empty() {
        return Ok(());
    }
    let (provider, tracer) = export::start(&config.otlp)?;
    let _ = EXPORT.set(Export {
        provider,
        tracer,
        below: threshold(config.ratio),
    });
    Ok(())
}

/// Exports what waits. Blocks, for [`FLUSH_TIMEOUT`] at most.
pub(super) fn stop() {
    if let Some(export) = EXPORT.get() {
        // A collector that is not there loses its spans, not the daemon.
        let _ = export.provider.shutdown_with_timeout(FLUSH_TIMEOUT);
    }
}

/// Begins the first span of the trace of a request.
pub fn root(name: &'static str, request: Uuid) -> Trace {
    begin(name, SpanKind::Server, request, false)
}

/// Begins a span under the first one of the trace of a request, whenever that was.
pub fn follower(name: &'static str, request: Uuid) -> Trace {
    begin(name, SpanKind::Producer, request, true)
}

fn begin(name: &'static str, kind: SpanKind, request: Uuid, follows: bool) -> Trace {
    let Some(export) = EXPORT.get() else {
        return Trace(None);
    };
    if mixed(request) >= export.below {
        return Trace(None);
    }
    let builder = SpanBuilder::from_name(name).with_kind(kind);
    let span = if follows {
        let parent = Context::new().with_remote_span_context(first_of(request));
        export.tracer.build_with_context(builder, &parent)
    } else {
        let ids = (
            TraceId::from_bytes(*request.as_bytes()),
            first_span(request),
        );
        export::with_ids(ids, || {
            export.tracer.build_with_context(builder, &Context::new())
        })
    };
    Trace(Some(Arc::new(Mutex::new(span))))
}

/// Begins a span under the one that this task works for.
pub fn child(name: &'static str) -> Trace {
    if EXPORT.get().is_none() {
        return Trace(None);
    }
    let parent = CURRENT.try_with(Clone::clone).unwrap_or_default();
    parent.child(name)
}

impl Trace {
    /// Begins a span under this one.
    #[must_use]
    pub fn child(&self, name: &'static str) -> Self {
        let (Some(parent), Some(export)) = (&self.0, EXPORT.get()) else {
            return Self(None);
        };
        let context = parent.lock().span_context().clone();
        let parent = Context::new().with_remote_span_context(context);
        let builder = SpanBuilder::from_name(name).with_kind(SpanKind::Internal);
        let span = export.tracer.build_with_context(builder, &parent);
        Self(Some(Arc::new(Mutex::new(span))))
    }

    /// Runs something for this span: what it begins meanwhile is under it.
    pub fn run<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        match &self.0 {
            None => Either::Left(work),
            Some(_) => Either::Right(Box::pin(CURRENT.scope(self, work))),
        }
    }

    /// Adds a fact; `value` is made only where the span is kept. Never text, an address or a secret.
    pub fn note<V: Into<opentelemetry::Value>>(
        &self,
        key: &'static str,
        value: impl FnOnce() -> V,
    ) {
        if let Some(span) = &self.0 {
            span.lock().set_attribute(KeyValue::new(key, value()));
        }
    }

    /// What it is about did not work; `class` is one of a closed set.
    pub fn fail(&self, class: &'static str) {
        if let Some(span) = &self.0 {
            span.lock().set_status(Status::error(class));
        }
    }
}

/// The id of a trace spread over all numbers. Ids begin with a time and end with a place, so they
/// are no lot by themselves.
fn mixed(request: Uuid) -> u64 {
    let (high, low) = request.as_u64_pair();
    let mut value = high.rotate_left(32) ^ low.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // The finalizer of MurmurHash3.
    value = (value ^ (value >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    value = (value ^ (value >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    value ^ (value >> 33)
}

/// The id of the first span of a trace.
fn first_span(request: Uuid) -> SpanId {
    SpanId::from(mixed(request).max(1))
}

fn first_of(request: Uuid) -> SpanContext {
    let trace = TraceId::from_bytes(*request.as_bytes());
    let state = TraceState::default();
    SpanContext::new(
        trace,
        first_span(request),
        TraceFlags::SAMPLED,
        false,
        state,
    )
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a ratio of 1 is all, below it a few more or less do not matter"
)]
fn threshold(ratio: f64) -> u64 {
    if ratio >= 1.0 {
        return u64::MAX;
    }
    (ratio.max(0.0) * u64::MAX as f64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_keeps_that_part_of_all_traces() {
        assert_eq!(threshold(1.0), u64::MAX);
        assert_eq!(threshold(0.0), 0);
        let below = threshold(0.25);
        let ids = (0..10_000_u128).map(|n| Uuid::from_u128((0x0190_a8f2 << 96) + n));
        let kept = ids.filter(|id| mixed(*id) < below).count();
        assert!((2_200..2_800).contains(&kept), "{kept} of 10,000");
    }

    #[test]
    fn nothing_is_traced_where_nobody_asked() {
        let trace = root("webhook", Uuid::from_u128(7));
        trace.note("channel", || -> String { unreachable!("it is not kept") });
        assert!(trace.0.is_none() && trace.child("x").0.is_none() && child("y").0.is_none());
    }
}
