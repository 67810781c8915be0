//! A host that is wrong or newer: codes of the interface, sizes of its structs.

use trunkline_plugin_api::{
    Capability, ffi,
    wire::{Code, Op, PARTS_MAX},
};

use crate::{
    bench::{Asked, Bench},
    calls::words,
    findings::Findings,
};

/// Calls that there are not, and calls with input that is none.
pub(super) fn misuse(bench: &mut Bench, findings: &mut Findings) {
    let Some(channel) = bench.open_indexes().first().copied() else {
        return;
    };
    for op in [0, 11, 4096, u32::MAX] {
        let parts = vec![b"{}".to_vec()];
        let what = format!("call of operation {op}, which there is not,");
        expect(
            bench,
            findings,
            channel,
            &what,
            &Asked { op, parts },
            &[Code::Unsupported],
        );
    }
    let capabilities = match &bench.manifest {
        Ok(manifest) => manifest.capabilities.clone(),
        Err(_) => Vec::new(),
    };
    for op in Op::ALL {
        let has = capabilities.iter().any(|known| *known == capability(op));
        let codes: &[Code] = if has {
            &[Code::BadInput]
        } else {
            &[Code::BadInput, Code::Unsupported]
        };
        let inputs: [(&str, Vec<Vec<u8>>); 5] = [
            ("no parts", Vec::new()),
            ("an empty part", vec![Vec::new()]),
            ("text that is not JSON", vec![b"not JSON".to_vec()]),
            ("a JSON list", vec![b"[]".to_vec(), b"raw".to_vec()]),
            ("16 parts that are not JSON", vec![b"{".to_vec(); PARTS_MAX]),
        ];
        for (what, parts) in inputs {
            let what = format!("{} with {what}", op.as_str());
            let op = op.number();
            expect(bench, findings, channel, &what, &Asked { op, parts }, codes);
        }
    }
}

fn expect(
    bench: &mut Bench,
    findings: &mut Findings,
    channel: usize,
    what: &str,
    asked: &Asked,
    codes: &[Code],
) {
    if findings.is_full() {
        return;
    }
    let output = match bench.call(channel, what, asked) {
        Ok(output) => output,
        Err(trouble) => return findings.trouble(trouble),
    };
    if !codes.iter().any(|code| output.code == *code as i32) {
        let codes = codes
            .iter()
            .map(|code| (*code as i32).to_string())
            .collect::<Vec<_>>();
        findings.fail(format!(
            "{what} returned {}, it must return {}: 2 is for calls that there are not, 3 for input that can't be \
             read",
            output.code,
            codes.join(" or ")
        ));
    }
}

fn capability(op: Op) -> Capability {
    match op {
        Op::Receive => Capability::Receive,
        Op::Send => Capability::Send,
        Op::Probe => Capability::Probe,
        Op::DeliveryStatus => Capability::DeliveryStatus,
        Op::FindSent => Capability::FindSent,
        Op::ListInbound => Capability::ListInbound,
        Op::Templates => Capability::Templates,
        Op::FetchMedia => Capability::FetchMedia,
        Op::MarkRead => Capability::MarkRead,
        Op::Complete => Capability::Complete,
    }
}

/// Hosts that are newer, and one that is older than any.
pub(super) fn struct_size(bench: &mut Bench, findings: &mut Findings) {
    let Some(channel) = bench.open_indexes().first().copied() else {
        return;
    };
    let config = bench.channels[channel].config.clone();
    for (size, want) in [
        (ffi::HOST_SIZE + 8, Code::Ok),
        (ffi::HOST_SIZE + 4096, Code::Ok),
        (ffi::HOST_SIZE - 8, Code::BadInput),
        (0, Code::BadInput),
    ] {
        let label = format!("open with a tl_host of {size} bytes");
        let output = match bench.try_open(&label, &config, size) {
            Ok(output) => output,
            Err(trouble) => return findings.trouble(trouble),
        };
        if output.code == want as i32 {
            continue;
        }
        findings.fail(if want == Code::Ok {
            format!(
                "{label} returned {} ({}): a later host has more fields; ask only whether struct_size covers those \
                 that you read",
                output.code,
                words(&output)
            )
        } else {
            format!(
                "{label} returned {}: ABI 1 has {} bytes; refuse less with 3, before reading the fields",
                output.code,
                ffi::HOST_SIZE
            )
        });
    }
}
