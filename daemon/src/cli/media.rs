//! `trunkline media`: puts files into the gateway and gets them out again.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    admin::{Admin, Query},
    failure::Failure,
    output,
};

/// The verb.
#[derive(Debug, Subcommand)]
pub(super) enum Media {
    /// Uploads a file; prints the hash that it is sent by.
    Put(Put),
    /// Downloads a file by its hash.
    Get(Get),
}

/// An upload.
#[derive(Debug, Args)]
pub(super) struct Put {
    /// The file.
    file: PathBuf,
    /// Its name for the recipient; the file's own by default.
    #[arg(long)]
    name: Option<String>,
    /// Its MIME type, where the bytes leave a choice (documents in a zip, plain text).
    #[arg(long = "type", value_name = "TYPE")]
    content_type: Option<String>,
    /// Whose file it is, where there are several organizations.
    #[arg(long)]
    organization: Option<String>,
    /// Prints the API's JSON.
    #[arg(long)]
    json: bool,
}

/// A download.
#[derive(Debug, Args)]
pub(super) struct Get {
    /// The file's SHA-256, as shown in messages.
    #[arg(value_parser = hash)]
    sha256: String,
    /// Where to write it; `-` is standard output. Nothing is overwritten.
    #[arg(short, long)]
    output: PathBuf,
    /// Prints what was written as JSON; nothing where the file goes to standard output.
    #[arg(long)]
    json: bool,
}

impl Media {
    /// Does it.
    pub(super) async fn perform(self, admin: &Admin) -> Result<(), Failure> {
        match self {
            Self::Put(put) => put.perform(admin).await,
            Self::Get(get) => get.perform(admin).await,
        }
    }
}

impl Put {
    async fn perform(self, admin: &Admin) -> Result<(), Failure> {
        let whose = self
            .organization
            .as_deref()
            .map(|slug| ("organization", slug));
        let content_type = self.content_type.as_deref();
        let name = self.name.as_deref();
        let known = upload(admin, &self.file, name, content_type, whose).await?;
        if self.json {
            return output::print_json(&known);
        }
        let word = |name: &str| output::clean(known[name].as_str().unwrap_or("?"));
        output::print(&format!("{} {}", word("sha256"), word("content_type")))
    }
}

impl Get {
    async fn perform(self, admin: &Admin) -> Result<(), Failure> {
        let path = ["media", &self.sha256];
        if self.output == Path::new("-") {
            let mut out = io::stdout().lock();
            admin
                .stream(&path, &Query::default(), |bytes| out.write_all(bytes))
                .await?;
            return Ok(out.flush()?);
        }
        let mut file =
            File::create_new(&self.output).map_err(|error| about(&self.output, &error))?;
        let done = admin
            .stream(&path, &Query::default(), |bytes| file.write_all(bytes))
            .await;
        if let Err(error) = done {
            // What is there is not the file.
            let _ = fs::remove_file(&self.output);
            return Err(error.into());
        }
        if self.json {
            let bytes = file.metadata()?.len();
            let written = json!({"sha256": self.sha256, "output": self.output, "bytes": bytes});
            return output::print_json(&written);
        }
        Ok(())
    }
}

/// Uploads a file for an organization or a channel; gives what the API says of it.
pub(super) async fn upload(
    admin: &Admin,
    path: &Path,
    name: Option<&str>,
    content_type: Option<&str>,
    whose: Option<(&'static str, &str)>,
) -> Result<Value, Failure> {
    let own = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let mut query = Query::default().with("name", name.or(own.as_deref()));
    if let Some((key, value)) = whose {
        query = query.with(key, Some(value));
    }
    let file = File::open(path).map_err(|error| about(path, &error))?;
    let meta = file.metadata().map_err(|error| about(path, &error))?;
    if !meta.is_file() {
        return Err(Failure::said(format!("{} is not a file", path.display())));
    }
    let sent = admin
        .upload(&["media"], &query, file, meta.len(), content_type)
        .await;
    Ok(sent?)
}

fn about(path: &Path, error: &io::Error) -> Failure {
    Failure::said(format!("{}: {error}", path.display()))
}

fn hash(text: &str) -> Result<String, String> {
    let hash: Result<crate::model::MediaHash, _> = text.parse();
    hash.map(|hash| hash.to_string())
        .map_err(|error| error.to_string())
}
