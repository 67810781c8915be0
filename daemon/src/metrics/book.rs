//! Metrics with what is said of them: what is registered here is encoded and documented.

use prometheus_client::{
    encoding::{EncodeMetric, text},
    metrics::{
        MetricType,
        counter::Counter,
        family::{Family, MetricConstructor},
        gauge::Gauge,
        histogram::Histogram,
        info::Info,
    },
    registry::{Metric, Registry, Unit},
};

use super::labels::Labels;

/// What is said of one metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// As scraped, without the `_total`, `_bucket` and so on of its type.
    pub name: String,
    /// Its type, in the words of `OpenMetrics`.
    pub kind: &'static str,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it counts or measures.
    pub help: &'static str,
}

impl Described {
    /// The names under which its samples are scraped.
    pub fn samples(&self) -> Vec<String> {
        let name = &self.name;
        match self.kind {
            "counter" => vec![format!("{name}_total")],
            "info" => vec![format!("{name}_info")],
            "histogram" => ["bucket", "sum", "count"]
                .map(|end| format!("{name}_{end}"))
                .to_vec(),
            _ => vec![name.clone()],
        }
    }
}

/// Whatever can be registered, with the names of its labels.
pub(super) trait Labelled: Metric + EncodeMetric {
    const LABELS: &'static [&'static str];
}

impl<N, A> Labelled for Counter<N, A>
where
    Self: Metric,
{
    const LABELS: &'static [&'static str] = &[];
}

impl<N, A> Labelled for Gauge<N, A>
where
    Self: Metric,
{
    const LABELS: &'static [&'static str] = &[];
}

impl Labelled for Histogram {
    const LABELS: &'static [&'static str] = &[];
}

impl<S: Labels> Labelled for Info<S>
where
    Self: Metric,
{
    const LABELS: &'static [&'static str] = S::NAMES;
}

impl<S: Labels, M, C: MetricConstructor<M>> Labelled for Family<S, M, C>
where
    Self: Metric,
{
    const LABELS: &'static [&'static str] = S::NAMES;
}

/// Registers with the unit that a name ends with, which makes its `UNIT` line.
fn add<M: Labelled>(registry: &mut Registry, name: &str, help: &'static str, metric: M) {
    let unit = |end| name.strip_suffix(end);
    match (unit("_seconds"), unit("_bytes")) {
        (Some(name), _) => registry.register_with_unit(name, help, Unit::Seconds, metric),
        (_, Some(name)) => registry.register_with_unit(name, help, Unit::Bytes, metric),
        _ => registry.register(name, help, metric),
    }
}

/// All metrics.
#[derive(Debug)]
pub(super) struct Book {
    ours: Registry,
    /// Those whose names everybody uses: `process_...`.
    process: Registry,
    described: Vec<Described>,
}

impl Default for Book {
    fn default() -> Self {
        Self {
            ours: Registry::with_prefix("trunkline"),
            process: Registry::default(),
            described: Vec::new(),
        }
    }
}

impl Book {
    /// Adds a metric of ours; its name begins with `trunkline_`.
    pub(super) fn register<M: Labelled>(&mut self, name: &str, help: &'static str, metric: M) {
        self.describe::<M>(format!("trunkline_{name}"), help, &metric);
        add(&mut self.ours, name, help, metric);
    }

    /// Adds a metric whose name everybody uses.
    pub(super) fn register_process<M: Labelled>(
        &mut self,
        name: &str,
        help: &'static str,
        metric: M,
    ) {
        let name = format!("process_{name}");
        self.describe::<M>(name.clone(), help, &metric);
        add(&mut self.process, &name, help, metric);
    }

    fn describe<M: Labelled>(&mut self, name: String, help: &'static str, metric: &M) {
        self.described.push(Described {
            name,
            kind: match metric.metric_type() {
                MetricType::Counter => "counter",
                MetricType::Gauge => "gauge",
                MetricType::Histogram => "histogram",
                MetricType::Info => "info",
                MetricType::Unknown => "unknown",
            },
            labels: M::LABELS,
            help,
        });
    }

    pub(super) fn described(&self) -> &[Described] {
        &self.described
    }

    /// The text for a scraper.
    pub(super) fn encode(&self) -> String {
        let mut out = String::new();
        let written = text::encode_registry(&mut out, &self.ours)
            .and_then(|()| text::encode_registry(&mut out, &self.process))
            .and_then(|()| text::encode_eof(&mut out));
        written.expect("a string takes any text");
        out
    }
}
