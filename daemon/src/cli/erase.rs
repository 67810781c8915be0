//! `trunkline contact erase` and `erasures`, `contact export`, `store compact`: people's data goes, or is handed out.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use serde_json::Value;

use super::{
    admin::{Admin, Query, id},
    detail,
    failure::Failure,
    output,
    progress::Progress,
    table::Column,
};

/// Between two looks at work of the daemon.
const LOOK: Duration = Duration::from_millis(250);
/// The steps of a compaction, in order.
const STEPS: [&str; 4] = ["snapshot", "readers", "index", "removing"];

pub(super) const COLUMNS: [Column; 6] = [
    Column::text("CONTACT", "/contact"),
    Column::text("ORGANIZATION", "/organization"),
    Column::text("STATE", "/state"),
    Column::time("REQUESTED", "/requested_at"),
    Column::time("COMPACTED", "/compacted_at"),
    Column::text("BY", "/by"),
];

/// One contact to erase.
#[derive(Debug, Args)]
pub(super) struct Erase {
    /// The contact's id.
    #[arg(value_parser = id)]
    contact: String,
    /// It can't be taken back: says that it is meant.
    #[arg(long)]
    yes: bool,
    /// Does not wait until nothing of the person is left in the store's files.
    #[arg(long)]
    no_wait: bool,
    /// Prints the API's JSON.
    #[arg(long)]
    json: bool,
}

impl Erase {
    /// Does it.
    pub(super) async fn perform(self, admin: &Admin) -> Result<(), Failure> {
        if !self.yes {
            return Err(Failure::said(
                "this removes the person and all that was said with them for good: say --yes",
            ));
        }
        let path = ["contacts", &self.contact, "erase"];
        let mut erasure = admin.post(&path).await?;
        if !self.no_wait {
            erasure = self.wait(admin, erasure).await?;
        }
        if self.json {
            return output::print_json(&erasure);
        }
        output::print(&detail::render(&erasure))
    }

    async fn wait(&self, admin: &Admin, mut erasure: Value) -> Result<Value, Failure> {
        let progress = Progress::items("erasing", Some(1 + STEPS.len() as u64));
        let path = ["contacts", self.contact.as_str(), "erasure"];
        while erasure["state"] != "compacted" {
            if erasure["state"] == "erased" {
                progress.reach(1 + step(admin).await?);
            }
            tokio::time::sleep(LOOK).await;
            erasure = admin.get(&path, &Query::default()).await?;
        }
        progress.finish();
        Ok(erasure)
    }
}

/// How many steps of a compaction are done.
async fn step(admin: &Admin) -> Result<u64, Failure> {
    let at = admin.get(&["store", "compact"], &Query::default()).await?;
    let at = STEPS.iter().position(|step| at["step"] == *step);
    Ok(at.unwrap_or_default() as u64)
}

/// Compacts the store, and shows how far it is.
pub(super) async fn compact(admin: &Admin, json: bool) -> Result<(), Failure> {
    let progress = Progress::items("compacting", Some(STEPS.len() as u64));
    let watch = async {
        loop {
            tokio::time::sleep(LOOK).await;
            // How far it is may not be told; the outcome is.
            progress.reach(step(admin).await.unwrap_or_default());
        }
    };
    let done = tokio::select! {
        done = admin.post_long(&["store", "compact"]) => done?,
        () = watch => unreachable!("it watches for ever"),
    };
    progress.finish();
    if json {
        return output::print_json(&done);
    }
    output::print(&detail::render(&done))
}

/// One contact to hand out.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// The contact's id, or a number or address of theirs.
    contact: String,
    /// Where to; `-` is standard output.
    file: PathBuf,
    /// With the bytes of files.
    #[arg(long)]
    media: bool,
}

impl Export {
    /// Does it.
    pub(super) async fn perform(self, admin: &Admin) -> Result<(), Failure> {
        let contact = find(admin, &self.contact).await?;
        let path = ["contacts", &contact, "export"];
        let query = Query::default().with("media", self.media.then_some(true));
        if self.file == Path::new("-") {
            let mut out = io::stdout().lock();
            let take = |bytes: &[u8]| out.write_all(bytes);
            admin.stream(&path, &query, take).await?;
            return Ok(out.flush()?);
        }
        let about = |error: io::Error| Failure::said(format!("{}: {error}", self.file.display()));
        let mut file = File::create_new(&self.file).map_err(about)?;
        let progress = Progress::bytes("exporting", None);
        let take = |bytes: &[u8]| {
            progress.advance(bytes.len() as u64);
            file.write_all(bytes)
        };
        let done = admin.stream(&path, &query, take).await;
        progress.finish();
        if let Err(error) = done {
            // What is there is not all of it.
            let _ = fs::remove_file(&self.file);
            return Err(error.into());
        }
        file.sync_all().map_err(about)
    }
}

/// The id of a contact, by itself or by an address.
async fn find(admin: &Admin, named: &str) -> Result<String, Failure> {
    if named.parse::<crate::model::ContactId>().is_ok() {
        return Ok(named.to_owned());
    }
    let query = Query::default().with("identifier", Some(named));
    let found = admin.get(&["contacts"], &query).await?;
    let found = found["items"].as_array().map(Vec::as_slice);
    match found.unwrap_or_default() {
        [one] => Ok(one["id"].as_str().unwrap_or_default().to_owned()),
        [] => Err(Failure::said("there is no contact with this address")),
        _ => Err(Failure::said(
            "several contacts have this address: name one by its id",
        )),
    }
}
