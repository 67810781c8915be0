//! Writes the folder of fixture cases out of an adapter's own tests, so that the two never part.
//!
//! ```text
//! let mut folder = Folder::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"));
//! let mut sms = folder.channel::<Twilio>("sms", &config());
//! sms.receive("in_text", "A text, signed.", &request);
//! sms.send("send_text", "A text that Twilio takes.", &message, [reply]);
//! folder.finish();
//! ```
//!
//! Each case runs through the [`Kit`] like any other test; what came of it is what its file says, for a person to
//! read. With `UPDATE_FIXTURES` in the environment [`Folder::finish`] writes the files and removes those that
//! no case has; else it fails where the folder says anything else than the cases do.

use std::{
    collections::BTreeMap,
    env, fs, io,
    path::{Path, PathBuf},
};

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Kit, Run, Tampering,
    case::{CONFIG_FILE, Case},
};
use crate::{
    Adapter, MediaRef, OutboundMessage, ReceivedRef, Reply, Sent, Timestamp, WebhookRequest,
    wire::Op,
};

/// The variable that has the folder written instead of compared.
const UPDATE: &str = "UPDATE_FIXTURES";

/// A folder of fixture cases that is being made.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    /// Names below `root`, and what is in them.
    files: BTreeMap<PathBuf, String>,
}

/// One channel of a folder: a folder in it with a configuration and cases.
#[derive(Debug)]
pub struct Channel<'f, A> {
    kit: Kit<A>,
    folder: &'f mut Folder,
    name: String,
    /// What the proof of the webhooks that follow covers.
    pub tampering: Tampering,
}

impl Folder {
    /// A folder at this path.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            files: BTreeMap::new(),
        }
    }

    /// A channel with this configuration section; its secrets must be made up.
    pub fn channel<A: Adapter>(&mut self, name: &str, config: &Value) -> Channel<'_, A> {
        self.put(&Path::new(name).join(CONFIG_FILE), format!("{config:#}\n"));
        Channel {
            kit: Kit::open(config.clone()),
            folder: self,
            name: name.into(),
            tampering: Tampering::Refused,
        }
    }

    /// Compares what was made with what is there; writes it where `UPDATE_FIXTURES` is set.
    pub fn finish(self) {
        let there = files_below(&self.root);
        if env::var_os(UPDATE).is_some() {
            for path in there.keys().filter(|path| !self.files.contains_key(*path)) {
                fs::remove_file(self.root.join(path)).expect("a file of the folder");
            }
            for (path, text) in &self.files {
                let path = self.root.join(path);
                fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
                fs::write(path, text).expect("a file of the folder");
            }
            return;
        }
        let differ = |path: &&PathBuf| there.get(*path) != self.files.get(*path);
        let mut stale: Vec<_> = self
            .files
            .keys()
            .chain(there.keys())
            .filter(differ)
            .collect();
        stale.sort();
        stale.dedup();
        assert!(
            stale.is_empty(),
            "{} says something else than its cases: read the difference, then run this test with \
             {UPDATE}=1. It is in {stale:?}",
            self.root.display()
        );
    }

    fn put(&mut self, path: &Path, text: String) {
        let before = self.files.insert(path.to_owned(), text);
        assert!(before.is_none(), "{} is there twice", path.display());
    }
}

impl<A: Adapter> Channel<'_, A> {
    /// A webhook.
    pub fn receive(&mut self, name: &str, about: &str, request: &WebhookRequest) {
        let want = self.kit.receive(request);
        let case = Case::receive(about, request, &want, self.tampering);
        self.put(name, &case);
    }

    /// A message to be sent; each request takes the next reply, as in every case below.
    pub fn send(
        &mut self,
        name: &str,
        about: &str,
        message: &OutboundMessage,
        replies: impl IntoIterator<Item = Reply>,
    ) {
        let input = json!({ "message": message });
        let run = |kit: &Kit<A>, replies| kit.send(message, replies);
        self.steps((Op::Send, name, about), &input, replies, run);
    }

    /// A check of the provider.
    pub fn probe(&mut self, name: &str, about: &str, replies: impl IntoIterator<Item = Reply>) {
        let input = json!({});
        let run = |kit: &Kit<A>, replies| kit.probe(replies);
        self.steps((Op::Probe, name, about), &input, replies, run);
    }

    /// A question for the state of a message.
    pub fn delivery_status(
        &mut self,
        name: &str,
        about: &str,
        sent: &Sent,
        replies: impl IntoIterator<Item = Reply>,
    ) {
        let input = json!({ "sent": sent });
        let run = |kit: &Kit<A>, replies| kit.delivery_status(sent, replies);
        self.steps((Op::DeliveryStatus, name, about), &input, replies, run);
    }

    /// A look-up of a send of unknown outcome.
    pub fn find_sent(
        &mut self,
        name: &str,
        about: &str,
        message: &OutboundMessage,
        replies: impl IntoIterator<Item = Reply>,
    ) {
        let input = json!({ "message": message });
        let run = |kit: &Kit<A>, replies| kit.find_sent(message, replies);
        self.steps((Op::FindSent, name, about), &input, replies, run);
    }

    /// A list of what came in.
    pub fn list_inbound(
        &mut self,
        name: &str,
        about: &str,
        since_ms: Timestamp,
        replies: impl IntoIterator<Item = Reply>,
    ) {
        let input = json!({ "since_ms": since_ms });
        let run = |kit: &Kit<A>, replies| kit.list_inbound(since_ms, replies);
        self.steps((Op::ListInbound, name, about), &input, replies, run);
    }

    /// A list of templates.
    pub fn templates(&mut self, name: &str, about: &str, replies: impl IntoIterator<Item = Reply>) {
        let input = json!({});
        let run = |kit: &Kit<A>, replies| kit.templates(replies);
        self.steps((Op::Templates, name, about), &input, replies, run);
    }

    /// An attachment to be fetched.
    pub fn fetch_media(
        &mut self,
        name: &str,
        about: &str,
        media: &MediaRef,
        replies: impl IntoIterator<Item = Reply>,
    ) {
        let input = json!({ "media": media });
        let run = |kit: &Kit<A>, replies| kit.fetch_media(media, replies);
        self.steps((Op::FetchMedia, name, about), &input, replies, run);
    }

    /// A read mark.
    pub fn mark_read(
        &mut self,
        name: &str,
        about: &str,
        message: &ReceivedRef,
        replies: impl IntoIterator<Item = Reply>,
    ) {
        let input = json!({ "message": message });
        let run = |kit: &Kit<A>, replies| kit.mark_read(message, replies);
        self.steps((Op::MarkRead, name, about), &input, replies, run);
    }

    /// The rest of a webhook that only announced what came in.
    pub fn complete(
        &mut self,
        name: &str,
        about: &str,
        follow_up: &Value,
        replies: impl IntoIterator<Item = Reply>,
    ) {
        let input = json!({ "follow_up": follow_up });
        let run = |kit: &Kit<A>, replies| kit.complete(follow_up, replies);
        self.steps((Op::Complete, name, about), &input, replies, run);
    }

    fn steps<T: Serialize>(
        &mut self,
        (op, name, about): (Op, &str, &str),
        input: &Value,
        replies: impl IntoIterator<Item = Reply>,
        run: impl FnOnce(&Kit<A>, Vec<Reply>) -> Run<T>,
    ) {
        let replies = Vec::from_iter(replies);
        let run = run(&self.kit, replies.clone());
        let turns = run.requests.into_iter().zip(replies);
        let case = Case::steps(about, op, input, turns, &run.outcome);
        self.put(name, &case.expect("what the kit ran is a case"));
    }

    fn put(&mut self, name: &str, case: &Case) {
        let text = case.to_text();
        let read: Case = serde_json::from_str(&text).expect("what was written is a case");
        assert_eq!(
            read, *case,
            "{name} is read as something else than was written"
        );
        let path = Path::new(&self.name).join(format!("{name}.json"));
        self.folder.put(&path, text);
    }
}

/// The files below a folder and their texts, none where there is no folder.
fn files_below(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => panic!("{}: {error}", folder.display()),
        };
        for entry in entries {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read(&path).expect("a file of the folder");
            let name = path.strip_prefix(root).expect("below the folder");
            files.insert(name.to_owned(), String::from_utf8_lossy(&text).into_owned());
        }
    }
    files
}
