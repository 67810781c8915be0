//! The way to the collector: spans wait in a bounded queue of a thread of its own; what does not
//! fit is dropped. Calls are made on another thread, which has the runtime that the client needs.

use std::{cell::Cell, sync::Arc, time::Duration};

use opentelemetry::{KeyValue, SpanId, TraceId, trace::TracerProvider as _};
use opentelemetry_otlp::{Protocol, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{
        BatchConfigBuilder, BatchSpanProcessor, IdGenerator, RandomIdGenerator, Sampler, SdkTracer,
        SdkTracerProvider, SpanData, SpanExporter,
    },
};
use url::Url;

/// Spans that may wait.
const QUEUE_MAX: usize = 4096;
/// Spans of one call.
const BATCH_MAX: usize = 512;
/// How often they are sent.
const INTERVAL: Duration = Duration::from_secs(1);
/// Time for one call.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Starts the exporter. The error is a phrase for people.
pub(super) fn start(otlp: &str) -> Result<(SdkTracerProvider, SdkTracer), String> {
    let said = |error: &dyn std::fmt::Display| format!("[telemetry] otlp: {error}");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| said(&error))?;
    let handle = runtime.handle().clone();
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(CALL_TIMEOUT)
        .build()
        .map_err(|error| said(&error))?;
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint(otlp)?)
        .with_timeout(CALL_TIMEOUT)
        .build()
        .map_err(|error| said(&error))?;
    std::thread::Builder::new()
        .name("otlp".into())
        .spawn(move || runtime.block_on(std::future::pending::<()>()))
        .map_err(|error| said(&error))?;
    let exporter = Carried {
        inner: Arc::new(exporter),
        runtime: handle,
    };
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE_MAX)
        .with_max_export_batch_size(BATCH_MAX)
        .with_scheduled_delay(INTERVAL)
        .build();
    let processor = BatchSpanProcessor::builder(exporter)
        .with_batch_config(batches)
        .build();
    let resource = Resource::builder_empty().with_attributes([
        KeyValue::new("service.name", "trunkline"),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
    ]);
    let provider = SdkTracerProvider::builder()
        .with_span_processor(processor)
        .with_sampler(Sampler::AlwaysOn)
        .with_id_generator(Ids::default())
        .with_resource(resource.build())
        .build();
    let tracer = provider.tracer("trunkline");
    Ok((provider, tracer))
}

/// The address with the path of OTLP, where it has none.
fn endpoint(otlp: &str) -> Result<String, String> {
    let mut url = Url::parse(otlp).map_err(|error| format!("[telemetry] otlp: {error}"))?;
    if matches!(url.path(), "" | "/") {
        url.set_path("/v1/traces");
    }
    Ok(url.into())
}

/// An exporter whose calls run on a runtime.
#[derive(Debug)]
struct Carried {
    inner: Arc<opentelemetry_otlp::SpanExporter>,
    runtime: tokio::runtime::Handle,
}

impl SpanExporter for Carried {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let inner = self.inner.clone();
        let call = self.runtime.spawn(async move { inner.export(batch).await });
        call.await
            .unwrap_or_else(|error| Err(OTelSdkError::InternalFailure(error.to_string())))
    }

    fn set_resource(&mut self, resource: &Resource) {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.set_resource(resource);
        }
    }
}

thread_local! {
    /// The ids of the span that this thread is about to begin.
    static WANTED: Cell<Option<(TraceId, SpanId)>> = const { Cell::new(None) };
}

/// Begins a span with these ids.
pub(super) fn with_ids<R>(ids: (TraceId, SpanId), begin: impl FnOnce() -> R) -> R {
    WANTED.set(Some(ids));
    let span = begin();
    WANTED.set(None);
    span
}

/// Gives the wanted ids, else random ones.
#[derive(Debug, Default)]
struct Ids(RandomIdGenerator);

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        let wanted = WANTED.get();
        wanted.map_or_else(|| self.0.new_trace_id(), |(trace, _)| trace)
    }

    fn new_span_id(&self) -> SpanId {
        let wanted = WANTED.get();
        wanted.map_or_else(|| self.0.new_span_id(), |(_, span)| span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_added_where_there_is_none() {
        let of = |text| endpoint(text).unwrap();
        assert_eq!(
            of("http://127.0.0.1:4318"),
            "http://127.0.0.1:4318/v1/traces"
        );
        assert_eq!(of("https://otlp.example/in"), "https://otlp.example/in");
        assert!(endpoint("nowhere").is_err());
    }
}
