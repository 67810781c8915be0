//! `seeds FOLDER`: writes the seeds of every target into `FOLDER/TARGET/`, and says how many.

use std::{collections::BTreeMap, env, fs, path::PathBuf};

use trunkline_fuzz::seeds;

fn main() {
    let folder = env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.expect("usage: seeds FOLDER");
    let mut counts = BTreeMap::<String, usize>::new();
    for seed in seeds::all() {
        let target = folder.join(&seed.target);
        fs::create_dir_all(&target).expect("a folder for the seeds");
        fs::write(target.join(&seed.name), &seed.bytes).expect("a seed");
        *counts.entry(seed.target).or_default() += 1;
    }
    for (target, count) in counts {
        println!("{count:5} seeds for {target}");
    }
}
