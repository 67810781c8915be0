//! kill -9 while visitors chat: everything acknowledged is there, once.

use std::collections::BTreeMap;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use serde_json::{Value, json};
use trunkline_tests::visitor::{Visitor, messages};
use trunkline_tests::wait::{SOON, eventually};

use crate::chat::daemon;

const VISITORS: usize = 12;
const ROUNDS: usize = 4;

/// One visitor and what they typed.
struct Typist {
    visitor: Visitor,
    number: usize,
    next: usize,
    /// Typed and not acknowledged: sent again under the same id.
    open: Vec<String>,
    /// Acknowledged, with the id of the stored message.
    taken: BTreeMap<String, String>,
}

impl Typist {
    /// Types one message after the other until the daemon is gone or `stop` is set.
    async fn type_on(&mut self, stop: &AtomicBool, count: &AtomicUsize) -> std::io::Result<()> {
        let mut socket = self.visitor.connect(None).await?;
        while !stop.load(Ordering::Relaxed) {
            if self.open.is_empty() {
                self.open.push(format!("c{}", self.next));
                self.next += 1;
            }
            let client = self.open[0].clone();
            let text = format!("{} {client}", self.number);
            let frame = json!({"type": "message", "client": client, "text": text});
            socket.send(&frame).await?;
            loop {
                let Some(answer) = socket.next().await? else {
                    return Ok(());
                };
                if answer["type"] == "accepted" && answer["client"] == client.as_str() {
                    let id = answer["id"].as_str().expect("an id").to_owned();
                    self.taken.insert(client, id);
                    self.open.clear();
                    count.fetch_add(1, Ordering::Relaxed);
                    break;
                }
                if answer["type"] == "refused" {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

#[tokio::test]
async fn nothing_acknowledged_to_a_visitor_is_lost_or_doubled_by_kill_9() {
    let mut daemon = daemon().await;
    let mut typists = Vec::new();
    for number in 0..VISITORS {
        let visitor = Visitor::new(daemon.public(), "web").await;
        typists.push(Typist {
            visitor,
            number,
            next: 0,
            open: Vec::new(),
            taken: BTreeMap::new(),
        });
    }
    let mut unanswered = 0;
    for _ in 0..ROUNDS {
        let stop = Arc::new(AtomicBool::new(false));
        let count = Arc::new(AtomicUsize::new(0));
        let running: Vec<_> = typists
            .drain(..)
            .map(|mut typist| {
                let (stop, count) = (stop.clone(), count.clone());
                typist.visitor = typist.visitor.at(daemon.public());
                tokio::spawn(async move {
                    // The daemon goes away in the middle of it.
                    let _ = typist.type_on(&stop, &count).await;
                    typist
                })
            })
            .collect();
        // In the middle of the load, wherever that is.
        let moment = rand::random_range(20..120);
        eventually("visitors are typing", SOON, || async {
            (count.load(Ordering::Relaxed) >= moment).then_some(())
        })
        .await;
        daemon.kill9().await;
        stop.store(true, Ordering::Relaxed);
        for typist in running {
            typists.push(typist.await.expect("a visitor does not panic"));
        }
        daemon.launch().await;
        unanswered += typists.iter().filter(|one| !one.open.is_empty()).count();
    }
    assert!(unanswered > 0, "no kill ever met a message");
    let mut total = 0;
    for typist in &mut typists {
        // The page comes back, and sends again what was never acknowledged.
        let visitor = typist.visitor.at(daemon.public());
        let (mut socket, _) = visitor.arrive(None).await;
        for client in std::mem::take(&mut typist.open) {
            let text = format!("{} {client}", typist.number);
            let accepted = socket.say(&client, &text).await;
            let id = accepted["id"].as_str().expect("an id").to_owned();
            typist.taken.insert(client, id);
        }
        drop(socket);
        let (_, frames) = visitor.arrive(None).await;
        let shown: Vec<&Value> = messages(&frames);
        let stored: BTreeMap<String, String> = shown
            .iter()
            .map(|frame| {
                let text = |key: &str| frame[key].as_str().unwrap_or_default().to_owned();
                (text("client"), text("id"))
            })
            .collect();
        assert_eq!(stored.len(), shown.len(), "doubled: {shown:?}");
        assert_eq!(stored, typist.taken);
        total += stored.len();
    }
    assert!(total > VISITORS * ROUNDS, "hardly any load: {total}");
}
