//! `trunkline export`: everything as JSON lines, into a file or to standard output.

use std::{
    io::{self, Write},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::Value;

use super::{
    admin::{Admin, Query},
    failure::Failure,
    progress::Progress,
};

/// Bytes at the end of what was written that are looked at for the end line.
const TAIL_BYTES: usize = 64 * 1024;

/// The verb.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// Where to; `-` is standard output. A file that is there is replaced once the export is whole.
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Only this organization.
    #[arg(long, value_name = "SLUG")]
    organization: Option<String>,
    /// Only messages from this time on, such as 2026-11-21T09:30:00Z.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Puts the bytes of files in, not only what is known of them.
    #[arg(long)]
    media: bool,
}

impl Export {
    /// Does it.
    pub(super) async fn perform(self, admin: &Admin) -> Result<(), Failure> {
        let query = Query::default()
            .with("organization", self.organization.as_ref())
            .with("since", self.since.as_ref())
            .with("media", Some(self.media));
        if self.file.as_os_str() == "-" {
            let mut out = io::stdout();
            copy(admin, &query, &mut out).await?;
            return Ok(out.flush()?);
        }
        let unwritable = |error: io::Error| {
            Failure::said(format!("{} can't be written: {error}", self.file.display()))
        };
        let folder = self
            .file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(unwritable)?;
        let mode = std::fs::Permissions::from_mode(0o600);
        file.as_file().set_permissions(mode).map_err(unwritable)?;
        copy(admin, &query, &mut file).await?;
        file.as_file().sync_all().map_err(unwritable)?;
        file.persist(&self.file)
            .map_err(|error| unwritable(error.error))?;
        Ok(())
    }
}

/// Copies the stream; fails where its end line does not come.
async fn copy(admin: &Admin, query: &Query, out: &mut impl Write) -> Result<(), Failure> {
    let progress = Progress::bytes("exporting", None);
    let mut tail = Vec::new();
    let copied = admin.stream(&["export"], query, |chunk| {
        out.write_all(chunk)?;
        progress.advance(chunk.len() as u64);
        tail.extend_from_slice(chunk);
        let surplus = tail.len().saturating_sub(TAIL_BYTES);
        tail.drain(..surplus);
        Ok(())
    });
    let copied = copied.await;
    progress.finish();
    copied?;
    if is_whole(&tail) {
        return Ok(());
    }
    Err(Failure::said(
        "the export ended without its end line: the daemon broke it off, its log says why",
    ))
}

fn is_whole(tail: &[u8]) -> bool {
    let mut lines = tail
        .rsplit(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    let last: Option<Value> = lines
        .next()
        .and_then(|line| serde_json::from_slice(line).ok());
    last.is_some_and(|line| line["type"] == "end") && tail.ends_with(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_end_line_makes_it_whole() {
        assert!(is_whole(b"{\"type\":\"header\"}\n{\"type\":\"end\"}\n"));
        for cut in [
            &b""[..],
            b"{\"type\":\"end\"}",
            b"{\"type\":\"header\"}\n",
            b"{\"type\":\"en",
        ] {
            assert!(!is_whole(cut));
        }
    }
}
