//! Notifications: what owners were told, until somebody took note and for a while after.

use super::{
    Page, Store, codec,
    engine::{StoreError, Transaction},
    keys,
    records::load,
};
use crate::model::{
    ChannelId, Millis, NoticeGroup, NoticeKind, Notification, NotificationId, OrgId,
};

/// Old notifications ended in one step of the sweep.
const SWEEP_STEP: usize = 500;

/// Which notifications somebody takes note of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acknowledge {
    /// Only those on this channel.
    pub channel: Option<ChannelId>,
    /// Only those of this kind.
    pub kind: Option<NoticeKind>,
}

impl Store {
    /// Adds notices to the notifications that are open for them; begins those that are not there.
    pub async fn add_notices(&self, groups: Vec<NoticeGroup>) -> Result<(), StoreError> {
        let pending = self.engine.transact(|tx| {
            for group in groups {
                self.add_group(tx, group)?;
            }
            Ok::<_, StoreError>(())
        })?;
        pending.await?;
        Ok(())
    }

    fn add_group(&self, tx: &mut Transaction<'_>, group: NoticeGroup) -> Result<(), StoreError> {
        let org = group.org;
        let marker = keys::open_notification(org, group.channel.as_ref(), group.kind);
        if let Some(id) = open_id(tx, &marker)? {
            let key = keys::notification(org, id);
            if let Some(mut open) = load::<Notification>(tx, &key)? {
                group.join(&mut open);
                tx.replace(&key, codec::encode(&open));
                return Ok(());
            }
        }
        let id = NotificationId::new(self.new_id());
        let begun = codec::encode(&group.begin(id));
        tx.insert(keys::notification(org, id), begun);
        tx.put(&marker, id.as_bytes())
    }

    /// Notifications, the one that began last first.
    pub fn notifications(
        &self,
        org: OrgId,
        acknowledged: Option<bool>,
        before: Option<NotificationId>,
        limit: usize,
    ) -> Result<Page<Notification, NotificationId>, StoreError> {
        let prefix = keys::kind(org, keys::NOTIFICATION);
        let mut page = Page::default();
        for entry in self.scan_prefix(&prefix, before.map(|id| *id.as_bytes()), true) {
            let (key, bytes) = entry?;
            let found: Notification = codec::decode(&key, &bytes)?;
            if acknowledged.is_some_and(|wanted| wanted != found.acknowledged_at_ms.is_some()) {
                continue;
            }
            if page.items.len() == limit {
                page.next = page.items.last().map(|last: &Notification| last.id);
                break;
            }
            page.items.push(found);
        }
        Ok(page)
    }

    /// Takes note of one notification; none where there is no such. Who was first stays.
    pub async fn acknowledge(
        &self,
        org: OrgId,
        id: NotificationId,
        by: &str,
    ) -> Result<Option<Notification>, StoreError> {
        let now_ms = self.now();
        let pending = self
            .engine
            .transact(|tx| acknowledge(tx, org, id, by, now_ms))?;
        Ok(pending.await?.0)
    }

    /// Takes note of every open notification that fits. Returns how many there were.
    pub async fn acknowledge_all(
        &self,
        org: OrgId,
        which: &Acknowledge,
        by: &str,
    ) -> Result<usize, StoreError> {
        let now_ms = self.now();
        let pending = self.engine.transact(|tx| {
            let mut count = 0;
            for (marker, bytes) in tx.scan(&keys::kind(org, keys::OPEN_NOTIFICATION), usize::MAX)? {
                let id = NotificationId::from_bytes(codec::fixed(&marker, &bytes)?);
                let Some(open) = load::<Notification>(tx, &keys::notification(org, id))? else {
                    continue;
                };
                let fits = which.kind.is_none_or(|kind| kind == open.kind)
                    && (which.channel.is_none() || which.channel == open.channel);
                if fits {
                    acknowledge(tx, org, id, by, now_ms)?;
                    count += 1;
                }
            }
            Ok::<_, StoreError>(count)
        })?;
        Ok(pending.await?.0)
    }

    /// Ends notifications that were acknowledged before `before_ms`. Returns how many.
    pub async fn sweep_notifications(
        &self,
        org: OrgId,
        before_ms: Millis,
    ) -> Result<usize, StoreError> {
        let is_old = |found: &Notification| {
            found
                .acknowledged_at_ms
                .is_some_and(|at_ms| at_ms < before_ms)
        };
        let mut old = Vec::new();
        for entry in self.scan_prefix(&keys::kind(org, keys::NOTIFICATION), None, false) {
            let (key, bytes) = entry?;
            if is_old(&codec::decode(&key, &bytes)?) {
                old.push(key);
            }
        }
        // An acknowledged notification never changes again, so what was read is still right.
        for step in old.chunks(SWEEP_STEP) {
            let pending = self.engine.transact(|tx| {
                for key in step {
                    tx.delete(key)?;
                }
                Ok::<_, StoreError>(())
            })?;
            pending.await?;
        }
        Ok(old.len())
    }
}

fn open_id(tx: &mut Transaction<'_>, marker: &[u8]) -> Result<Option<NotificationId>, StoreError> {
    tx.get(marker)?
        .map(|bytes| codec::fixed(marker, &bytes).map(NotificationId::from_bytes))
        .transpose()
}

fn acknowledge(
    tx: &mut Transaction<'_>,
    org: OrgId,
    id: NotificationId,
    by: &str,
    now_ms: Millis,
) -> Result<Option<Notification>, StoreError> {
    let key = keys::notification(org, id);
    let Some(mut found) = load::<Notification>(tx, &key)? else {
        return Ok(None);
    };
    if found.acknowledged_at_ms.is_none() {
        found.acknowledged_at_ms = Some(now_ms);
        found.acknowledged_by = Some(by.to_owned());
        tx.replace(&key, codec::encode(&found));
        tx.delete(keys::open_notification(
            org,
            found.channel.as_ref(),
            found.kind,
        ))?;
    }
    Ok(Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::EngineOptions;

    const ORG: OrgId = OrgId(1);

    fn group(channel: Option<&str>, kind: NoticeKind, at_ms: Millis) -> NoticeGroup {
        NoticeGroup {
            org: ORG,
            channel: channel.map(ChannelId::new),
            kind,
            words: format!("words of {at_ms}"),
            count: 2,
            first_at_ms: at_ms,
            last_at_ms: at_ms + 1,
        }
    }

    fn all(store: &Store, acknowledged: Option<bool>) -> Vec<Notification> {
        let page = store.notifications(ORG, acknowledged, None, 100).unwrap();
        assert_eq!(page.next, None);
        page.items
    }

    #[tokio::test]
    async fn notices_are_one_notification_until_it_is_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path(), EngineOptions::default()).unwrap();
        let kind = NoticeKind::DeadLetter;
        for at in [10, 20] {
            store
                .add_notices(vec![group(Some("a"), kind, at)])
                .await
                .unwrap();
        }
        store
            .add_notices(vec![group(None, kind, 30)])
            .await
            .unwrap();
        let found = all(&store, None);
        assert_eq!(found.len(), 2);
        let first = &found[1];
        assert_eq!(
            (first.count, first.first_at_ms, first.last_at_ms),
            (4, 10, 21)
        );
        assert_eq!(first.words, "words of 20");

        let acknowledged = store
            .acknowledge(ORG, first.id, "ada")
            .await
            .unwrap()
            .unwrap();
        assert_eq!(acknowledged.acknowledged_by.as_deref(), Some("ada"));
        let again = store.acknowledge(ORG, first.id, "bob").await.unwrap();
        assert_eq!(again.as_ref(), Some(&acknowledged));
        assert_eq!(
            store.acknowledge(OrgId(2), first.id, "eve").await.unwrap(),
            None
        );

        store
            .add_notices(vec![group(Some("a"), kind, 40)])
            .await
            .unwrap();
        let open = all(&store, Some(false));
        assert_eq!((open.len(), open[0].count), (2, 2));
        assert_eq!(all(&store, Some(true)), [acknowledged]);
    }

    #[tokio::test]
    async fn a_filter_says_which_and_old_ones_end() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path(), EngineOptions::default()).unwrap();
        let (dead, lost) = (NoticeKind::DeadLetter, NoticeKind::CanaryLost);
        let groups = [
            (Some("a"), dead),
            (Some("b"), dead),
            (Some("a"), lost),
            (None, lost),
        ];
        let groups = groups.map(|(channel, kind)| group(channel, kind, 1));
        store.add_notices(groups.to_vec()).await.unwrap();
        let on_a = Acknowledge {
            channel: Some(ChannelId::new("a")),
            kind: Some(dead),
        };
        assert_eq!(store.acknowledge_all(ORG, &on_a, "ada").await.unwrap(), 1);
        assert_eq!(store.acknowledge_all(ORG, &on_a, "ada").await.unwrap(), 0);
        assert_eq!(all(&store, Some(false)).len(), 3);
        let before = store.now() + 1;
        assert_eq!(store.sweep_notifications(ORG, before).await.unwrap(), 1);
        assert_eq!(all(&store, Some(true)), []);
        let every = Acknowledge::default();
        assert_eq!(store.acknowledge_all(ORG, &every, "ada").await.unwrap(), 3);
        assert_eq!(store.sweep_notifications(ORG, 0).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_list_is_cut_into_pages() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path(), EngineOptions::default()).unwrap();
        for channel in ["a", "b", "c"] {
            let group = group(Some(channel), NoticeKind::DeadLetter, 1);
            store.add_notices(vec![group]).await.unwrap();
        }
        let (mut before, mut seen) = (None, Vec::new());
        loop {
            let page = store.notifications(ORG, Some(false), before, 2).unwrap();
            seen.extend(page.items.into_iter().filter_map(|found| found.channel));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        let names: Vec<&str> = seen.iter().map(ChannelId::as_str).collect();
        assert_eq!(names, ["c", "b", "a"]);
    }
}
