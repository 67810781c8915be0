//! Compiles the adapter in C with what its fuzzing needs.

use std::{env, path::Path, process::Command};

fn main() {
    let adapter = "../../plugins/example-c";
    let include = "../../plugin-api/include";
    let mut build = cc::Build::new();
    build
        .file(format!("{adapter}/adapter.c"))
        .include(include)
        .std("c11")
        .opt_level(1)
        .debug(true)
        // Every other adapter exports the same name.
        .define("tl_adapter_entry_v1", "tl_example_c_entry_v1")
        .flag("-fno-omit-frame-pointer");
    if env::var("CARGO_CFG_FUZZING").is_ok() {
        // gcc and clang both have these; `coverage.c` counts what they report.
        build.flag("-fsanitize=address,undefined");
        build.flag("-fno-sanitize-recover=undefined");
        build.flag("-fsanitize-undefined-trap-on-error");
        build.flag("-fsanitize-coverage=trace-pc,trace-cmp");
    }
    build.compile("example_c");
    // libFuzzer has a function of that name, which only says that it is not supported any more.
    let archive = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("libexample_c.a");
    let renamed = Command::new("objcopy")
        .arg("--redefine-sym=__sanitizer_cov_trace_pc=tl_coverage_trace_pc")
        .arg(archive)
        .status();
    assert!(
        renamed.is_ok_and(|status| status.success()),
        "objcopy, of binutils, failed"
    );
    cc::Build::new()
        .file("coverage.c")
        .std("c11")
        .opt_level(2)
        .compile("coverage");
    for path in [adapter, include, "coverage.c", "build.rs"] {
        println!("cargo:rerun-if-changed={path}");
    }
}
