//! What was watched over all calls: nothing forbidden, no secret told.

use serde_json::{Value, json};
use trunkline_plugin_api::ffi::HOST_SIZE;

use crate::{bench::Bench, findings::Findings};

/// Nothing but computing.
pub(super) fn purity(bench: &mut Bench, findings: &mut Findings) {
    if let Err(words) = &bench.elf {
        return findings.skip(format!("nothing was run: the file {words}"));
    }
    for words in &bench.watch.forbidden {
        findings.fail(format!(
            "it {words}: an adapter opens nothing and starts nothing; what it needs comes with the call, and what it \
             wants it asks for by a step"
        ));
    }
    if bench.loaded.is_err() {
        // What it tried while it was loaded is a failure all the same.
        return findings.skip("nothing was run: the file can't be loaded, see load");
    }
    if !bench.is_landlocked {
        findings.warn("this kernel has no landlock: files were guarded by seccomp alone");
    }
}

/// Secrets show nowhere, also not where opening fails.
pub(super) fn canary(bench: &mut Bench, findings: &mut Findings) {
    if !bench.watch.has_secrets() {
        return findings
            .skip("no configuration of the fixtures holds a secret of six characters or more");
    }
    for index in bench.open_indexes() {
        let channel = &bench.channels[index];
        let (name, config) = (channel.name.clone(), channel.config.clone());
        for (what, config) in spoilt(&config) {
            let label = format!("open of {name} with {what}");
            if let Err(trouble) = bench.try_open(&label, &config, HOST_SIZE) {
                findings.trouble(trouble);
            }
        }
    }
    for place in &bench.watch.leaks {
        findings.fail(format!(
            "a secret of the configuration shows in {place}: use Secret, mark headers as sensitive, and say what is \
             wrong without quoting it"
        ));
    }
}

/// Configurations that can't work, with their secrets in them.
fn spoilt(config: &Value) -> Vec<(String, Value)> {
    let mut spoilt = Vec::new();
    for key in config
        .as_object()
        .into_iter()
        .flat_map(|members| members.keys())
    {
        let mut changed = |words: &str, change: &dyn Fn(&mut Value)| {
            let mut copy = config.clone();
            change(&mut copy);
            spoilt.push((format!("{key} {words}"), copy));
        };
        changed("missing", &|copy| {
            if let Value::Object(members) = copy {
                members.remove(key);
            }
        });
        changed("in a list in an object", &|copy| {
            let value = copy[key].take();
            copy[key] = json!({ "value": [value] });
        });
        changed("as a number", &|copy| copy[key] = json!(7));
        changed("twice, once misspelt", &|copy| {
            copy[format!("{key}_")] = copy[key].clone();
        });
    }
    spoilt
}
