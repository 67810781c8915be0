//! A strict reader of the OpenMetrics text format: what it does not know is an error.
//!
//! Public source: the OpenMetrics 1.0 specification, "ABNF" and "Metric Types".

use std::collections::{BTreeMap, BTreeSet};

/// One line with a number.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its name, with the ending of its type.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its number.
    pub value: f64,
}

/// A text that was read.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// All samples in their order.
    pub samples: Vec<Sample>,
    /// The type of each family.
    pub types: BTreeMap<String, String>,
}

impl Metrics {
    /// Reads a text; the error says what is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        let body = text
            .strip_suffix("# EOF\n")
            .ok_or("does not end with # EOF")?;
        let mut found = Self::default();
        let mut family = String::new();
        let (mut helped, mut units) = (BTreeSet::new(), BTreeMap::new());
        for line in body.lines() {
            let Some(rest) = line.strip_prefix("# ") else {
                found.sample(line, &family)?;
                continue;
            };
            let mut words = rest.splitn(3, ' ');
            let (kind, name) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
            let rest = words
                .next()
                .ok_or_else(|| format!("nothing is said: {line}"))?;
            is_name(name)?;
            match kind {
                "HELP" if helped.insert(name.to_owned()) => name.clone_into(&mut family),
                "TYPE" if name == family => {
                    if found
                        .types
                        .insert(name.to_owned(), rest.to_owned())
                        .is_some()
                    {
                        return Err(format!("{name} is there twice"));
                    }
                }
                "UNIT" if name == family && name.ends_with(&format!("_{rest}")) => {
                    units.insert(name.to_owned(), rest.to_owned());
                }
                _ => return Err(format!("out of place: {line}")),
            }
        }
        for name in found.types.keys() {
            for unit in ["seconds", "bytes"] {
                if name.ends_with(&format!("_{unit}")) && !units.contains_key(name) {
                    return Err(format!("{name} has no UNIT"));
                }
            }
        }
        found.check_series()?;
        found.check_histograms()?;
        Ok(found)
    }

    fn sample(&mut self, line: &str, family: &str) -> Result<(), String> {
        let wrong = |why: &str| format!("{why}: {line}");
        let end = line.find(['{', ' ']).ok_or_else(|| wrong("no value"))?;
        let (name, rest) = line.split_at(end);
        is_name(name)?;
        let kind = self
            .types
            .get(family)
            .ok_or_else(|| wrong("no TYPE before it"))?;
        let endings: &[&str] = match kind.as_str() {
            "counter" => &["_total"],
            "gauge" => &[""],
            "info" => &["_info"],
            "histogram" => &["_bucket", "_sum", "_count"],
            _ => return Err(wrong("unknown type")),
        };
        let ending = name.strip_prefix(family);
        if !ending.is_some_and(|ending| endings.contains(&ending)) {
            return Err(wrong("not of the family before it"));
        }
        let (labels, value) = match rest.strip_prefix('{') {
            None => (BTreeMap::new(), rest),
            Some(rest) => labels(rest).ok_or_else(|| wrong("labels can't be read"))?,
        };
        let value = value.strip_prefix(' ').ok_or_else(|| wrong("no blank"))?;
        let value: f64 = value.parse().map_err(|_| wrong("no number"))?;
        if kind != "gauge" && (value.is_nan() || value < 0.0) {
            return Err(wrong("a count below 0"));
        }
        self.samples.push(Sample {
            name: name.to_owned(),
            labels,
            value,
        });
        Ok(())
    }

    fn check_series(&self) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for sample in &self.samples {
            if !seen.insert((&sample.name, &sample.labels)) {
                return Err(format!(
                    "{} {:?} is there twice",
                    sample.name, sample.labels
                ));
            }
        }
        Ok(())
    }

    /// Buckets grow, and the last of them holds all.
    fn check_histograms(&self) -> Result<(), String> {
        let mut last: BTreeMap<(String, BTreeMap<String, String>), (f64, f64)> = BTreeMap::new();
        for sample in &self.samples {
            let Some(name) = sample.name.strip_suffix("_bucket") else {
                continue;
            };
            let mut labels = sample.labels.clone();
            let le = labels.remove("le").ok_or("a bucket without le")?;
            let le = if le == "+Inf" {
                f64::INFINITY
            } else {
                le.parse().map_err(|_| format!("le {le}"))?
            };
            let key = (name.to_owned(), labels);
            if let Some((before, count)) = last.insert(key, (le, sample.value))
                && (le <= before || sample.value < count)
            {
                return Err(format!("buckets of {name} do not grow"));
            }
        }
        for ((name, labels), (le, count)) in last {
            let all = self.find(&format!("{name}_count"), &labels);
            if le.is_finite() || all != Some(count) {
                return Err(format!("{name}: {count} in the last bucket of {all:?}"));
            }
        }
        Ok(())
    }

    fn find(&self, name: &str, labels: &BTreeMap<String, String>) -> Option<f64> {
        let mut samples = self.samples.iter();
        let found = samples.find(|sample| sample.name == name && sample.labels == *labels);
        found.map(|sample| sample.value)
    }

    /// The sum of all samples of a name that have these labels; 0 where there are none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |sample: &&Sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(label, value)| sample.labels.get(*label).is_some_and(|is| is == value))
        };
        let samples = self.samples.iter().filter(fits);
        samples.map(|sample| sample.value).sum()
    }
}

fn is_name(name: &str) -> Result<(), String> {
    let first = name.chars().next().is_some_and(|c| c.is_ascii_lowercase());
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if first && name.chars().all(plain) {
        return Ok(());
    }
    Err(format!("\"{name}\" is no name"))
}

/// The labels up to the closing bracket, and what follows it.
fn labels(mut rest: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        let (name, after) = rest.split_once("=\"")?;
        is_name(name).ok()?;
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next()? {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next()?.1 {
                    'n' => '\n',
                    c @ ('"' | '\\') => c,
                    _ => return None,
                }),
                (_, c) => value.push(c),
            }
        };
        if labels.insert(name.to_owned(), value).is_some() {
            return None;
        }
        let after = &after[end + 1..];
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return Some((labels, after.strip_prefix('}')?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# HELP a_seconds A.\n# TYPE a_seconds histogram\n# UNIT a_seconds seconds\n\
        a_seconds_sum 1.5\na_seconds_count 2\na_seconds_bucket{le=\"1.0\"} 1\na_seconds_bucket{le=\"+Inf\"} 2\n\
        # HELP b B.\n# TYPE b counter\nb_total{x=\"a\\\"b\"} 3\n# EOF\n";

    #[test]
    fn what_is_right_is_read_and_what_is_wrong_is_not() {
        let read = Metrics::read(GOOD).unwrap();
        assert!((read.sum("b_total", &[("x", "a\"b")]) - 3.0).abs() < f64::EPSILON);
        for (from, to) in [
            ("# EOF\n", ""),
            ("b_total{", "b{"),
            ("b counter", "b gauge"),
            ("count 2", "count 3"),
            ("le=\"1.0\"} 1", "le=\"1.0\"} 4"),
            ("# UNIT a_seconds seconds\n", ""),
            ("} 3", "} -3"),
            ("} 3", "}3"),
            ("# TYPE b counter\n", ""),
            ("b_total{x=\"a\\\"b\"} 3\n", "b_total 1\nb_total 1\n"),
        ] {
            let broken = GOOD.replace(from, to);
            assert_ne!(broken, GOOD, "{from}");
            assert!(Metrics::read(&broken).is_err(), "{broken}");
        }
    }
}
