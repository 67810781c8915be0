//! The seeds of every target, made of the fixtures.

use std::{env, fs, path::Path, process::Command};

use serde_json::{Value, json};
use trunkline_plugin_api::{
    Step,
    testkit::case::{CaseCall, StepsCase},
    wire::{Answer, Op},
};

use crate::{channels, echo, sample::Sample};

/// Ways of signing that one webhook is a seed for; a provider's signature has no more forms.
const WAYS: u8 = 3;

/// A seed: the target's name, its own, and its bytes.
pub struct Seed {
    /// Which target it is for.
    pub target: String,
    /// What it is made of.
    pub name: String,
    /// What the target gets.
    pub bytes: Vec<u8>,
}

/// The folders in `plugins/` that have fixtures.
fn plugins() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    let entries =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.join("fixtures").is_dir())
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    names
}

/// All of them.
pub fn all() -> Vec<Seed> {
    let mut seeds = vec![
        Seed::new(
            "host_output",
            "describe",
            answer(0, &Answer::ok(manifest())),
        ),
        Seed::new(
            "host_output",
            "open",
            echo::seed(1, &[facts().to_string().as_bytes()]),
        ),
        Seed::new("host_note", "example_c", example_c()),
        Seed::new("host_worker", "calls", frames()),
    ];
    for plugin in plugins() {
        for (index, channel) in channels(&plugin).into_iter().enumerate() {
            let index = u8::try_from(index).expect("few channels");
            for named in channel.cases {
                let name = format!("{plugin}-{}", named.name.replace('/', "-"));
                seeds.push(Seed::new("case", &name, named.case.to_text().into_bytes()));
                match named.case.call {
                    CaseCall::Receive(case) => {
                        let target = format!("receive_{}", plugin.replace('-', "_"));
                        let ways = (0..WAYS).map(Some).chain([None]);
                        for (number, signing) in ways.enumerate() {
                            let request = case.request.clone();
                            let sample = Sample {
                                channel: index,
                                signing,
                                request,
                            };
                            let name = format!("{name}-{number}");
                            seeds.push(Seed::new(&target, &name, sample.write()));
                        }
                        let bytes = answer(echo::which(Op::Receive), &Answer::ok(case.want));
                        seeds.push(Seed::new("host_output", &name, bytes));
                    }
                    CaseCall::Steps(case) => seeds.extend(steps(&name, case)),
                }
            }
        }
    }
    seeds
}

impl Seed {
    fn new(target: &str, name: &str, bytes: Vec<u8>) -> Self {
        Self {
            target: target.into(),
            name: name.into(),
            bytes,
        }
    }
}

fn answer(which: u8, answer: &Answer) -> Vec<u8> {
    echo::seed(which, &[&answer.json, &answer.raw])
}

/// What a plugin answered in each step of a case.
fn steps(name: &str, case: StepsCase) -> impl Iterator<Item = Seed> {
    let end: Step<Value> = match case.want {
        Ok(result) => Step::done(result),
        Err(error) => Step::fail(error),
    };
    let calls = case.turns.into_iter().map(|turn| Step::Call {
        request: turn.request,
        cursor: json!("asked"),
    });
    let which = echo::which(case.op);
    calls.chain([end]).enumerate().map(move |(number, step)| {
        let name = format!("{name}-{number}");
        Seed::new("host_output", &name, answer(which, &Answer::ok(step)))
    })
}

fn manifest() -> trunkline_plugin_api::Manifest {
    use trunkline_plugin_api::{Capability, Manifest, Medium};
    Manifest::new(
        "Acme",
        [Medium::Sms],
        [Capability::Receive, Capability::Send],
    )
}

fn facts() -> Value {
    json!({
        "addresses": ["+15550100"], "media": ["sms"], "space": "phone", "can_receive": true, "can_send": true,
        "max_len": 480, "body_bytes_max": 65536, "fronts": ["mail"], "notes": ["Reports are off."],
    })
}

/// A worker's first frames, and a call of two parts: length, kind, number, payload each.
fn frames() -> Vec<u8> {
    let call = [&[2_u32, 2, 1].map(u32::to_le_bytes).concat()[..], b"{}x"].concat();
    let mut bytes = vec![7];
    for (kind, number, payload) in [
        (32_u32, 1_u32, &b""[..]),
        (33, 0, b""),
        (3, 1, &call),
        (36, 0, b"{}"),
    ] {
        let len = u32::try_from(payload.len()).expect("a short payload");
        bytes.extend([len, kind, number].map(u32::to_le_bytes).concat());
        bytes.extend_from_slice(payload);
    }
    bytes
}

/// The adapter in C as a shared library: small, and with everything that is looked for in one.
fn example_c() -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let file = env::temp_dir().join(format!("trunkline-fuzz-{}.so", std::process::id()));
    let made = Command::new("cc")
        .args([
            "-std=c11",
            "-Os",
            "-fPIC",
            "-shared",
            "-s",
            "-fvisibility=hidden",
            "-I",
        ])
        .arg(root.join("plugin-api/include"))
        .arg("-o")
        .arg(&file)
        .arg(root.join("plugins/example-c/adapter.c"))
        .status();
    assert!(
        made.expect("a C compiler named cc").success(),
        "the adapter in C does not compile"
    );
    let bytes = fs::read(&file).expect("what the compiler wrote");
    let _ = fs::remove_file(file);
    bytes
}
