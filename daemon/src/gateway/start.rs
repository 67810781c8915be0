//! What is started around the channels, and in which order.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::{mpsc, oneshot};

use super::{Gateway, state::Writer};
use crate::{
    channel::ChannelSpec,
    inbound::{Coalescer, Downtime, Quiet},
    media::MediaFetcher,
    store::StoreError,
    tls,
    watch::{Chronicle, ClockWatch, News, RoomWatch, Sweeper},
};

impl Gateway {
    /// Starts the channels; nothing is sent before all of them are known.
    pub(super) async fn launch_all(self: &Arc<Self>, specs: Vec<ChannelSpec>) {
        let mut running = self.running.lock().await;
        for spec in specs {
            let started = self.launch(spec);
            running.insert(started.channel.id.to_string(), started);
        }
        self.publish(&running);
        for channel in running.values_mut() {
            self.start_sending(channel);
        }
    }

    /// Starts what keeps the news of health and what owners are told, in the order of their end.
    pub(super) async fn start_writers(&self, news: mpsc::Receiver<News>) {
        let chronicle = Chronicle {
            store: self.store.clone(),
            metrics: self.metrics.clone(),
            notifier: self.notifier.clone(),
            news,
        };
        let notifier = self.notifier.clone();
        let mut writers = self.writers.lock().await;
        writers.push(self.start_writer(|stop| chronicle.run(stop)));
        writers.push(self.start_writer(|stop| notifier.writer(stop)));
    }

    fn start_writer<W>(&self, run: impl FnOnce(oneshot::Receiver<()>) -> W) -> Writer
    where
        W: Future<Output = ()> + Send + 'static,
    {
        let (stop, stopping) = oneshot::channel();
        let (done, stopped) = oneshot::channel();
        let work = run(stopping);
        self.arbiters.watch.spawn(async move {
            work.await;
            let _ = done.send(());
        });
        Writer { stop, stopped }
    }

    /// Starts what works on all channels.
    pub(super) async fn start_followers(&self) {
        let mut stops = self.stops.lock().await;
        let mut stop = || {
            let (tell, told) = oneshot::channel();
            stops.push(tell);
            told
        };
        let coalesce = self.settings.load().coalesce.clone();
        let coalescer = Coalescer {
            store: self.store.clone(),
            registry: self.registry.clone(),
            metrics: self.metrics.clone(),
            quiet: Quiet {
                quiet: coalesce.quiet,
                max: coalesce.max,
            },
        };
        let sweeper = Sweeper {
            store: self.store.clone(),
            registry: self.registry.clone(),
            settings: self.settings.clone(),
            retention: self.retention.clone(),
            swept: HashMap::new(),
            media_shard: 0,
            is_paused: false,
        };
        let fetcher = MediaFetcher {
            store: self.store.clone(),
            registry: self.registry.clone(),
            transport: self.transport.clone(),
            settings: self.settings.clone(),
            metrics: self.metrics.clone(),
            keeper: self.keeper.clone(),
            notifier: self.notifier.clone(),
        };
        let clock = ClockWatch {
            store: self.store.clone(),
            registry: self.registry.clone(),
        };
        let room = RoomWatch {
            store: self.store.clone(),
            notifier: self.notifier.clone(),
            metrics: self.metrics.clone(),
        };
        let certificates = tls::Watcher {
            certificates: self.certificates.clone(),
            settings: self.settings.clone(),
            store: self.store.clone(),
            notifier: self.notifier.clone(),
            metrics: self.metrics.clone(),
        };
        self.arbiters.media.spawn(fetcher.run(stop()));
        self.arbiters.watch.spawn(certificates.run(stop()));
        self.arbiters.watch.spawn(coalescer.run(stop()));
        self.arbiters.watch.spawn(self.replayer.clone().run(stop()));
        self.arbiters.watch.spawn(sweeper.run(stop()));
        self.arbiters.watch.spawn(room.run(stop()));
        self.arbiters.watch.spawn(clock.run(stop()));
        self.arbiters.watch.spawn(self.eraser.clone().run(stop()));
    }

    /// Has what came in during a downtime fetched, in the background.
    pub(super) async fn start_backfill(&self) -> Result<(), StoreError> {
        let downtime = Downtime {
            store: self.store.clone(),
            registry: self.registry.clone(),
            board: self.board.clone(),
            settings: self.settings.clone(),
            backfiller: self.backfiller.clone(),
            notifier: self.notifier.clone(),
        };
        let gaps = downtime.note().await?;
        let (tell, told) = oneshot::channel();
        self.stops.lock().await.push(tell);
        self.arbiters.watch.spawn(downtime.fill(gaps, told));
        Ok(())
    }
}
