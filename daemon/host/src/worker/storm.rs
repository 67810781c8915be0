//! Many calls on many threads at once: an adapter answers as if it were alone, or it is not pure.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
    thread,
};

use super::frame::{self, PARTS_MAX};
use crate::library::{Handle, Output};

/// What each thread does.
pub(super) struct Plan {
    threads: usize,
    rounds: usize,
    calls: Vec<(u32, Vec<Vec<u8>>)>,
}

impl Plan {
    /// Reads the payload of an order for `count` calls.
    pub(super) fn read(mut payload: &[u8], count: u32) -> Option<Self> {
        let threads = frame::take_number(&mut payload)? as usize;
        let rounds = frame::take_number(&mut payload)? as usize;
        let mut calls = Vec::new();
        for _ in 0..count {
            let op = frame::take_number(&mut payload)?;
            let (parts, len) = frame::take_parts(&mut payload)?;
            calls.push((op, parts[..len].iter().map(|part| part.to_vec()).collect()));
        }
        Some(Self {
            threads,
            rounds,
            calls,
        })
    }
}

/// What a thread gets: the work of one storm.
struct Job {
    handle: Arc<Handle>,
    plan: Arc<Plan>,
    first: Arc<Vec<Output>>,
    output_bytes_max: usize,
    /// Which thread this is: each begins with another call.
    place: usize,
    done: Sender<Result<(), String>>,
}

/// Threads that are made before the library is loaded: afterwards there can be no more.
pub(super) struct Pool {
    threads: Vec<Sender<Job>>,
}

impl Pool {
    /// Makes the threads.
    pub(super) fn start(count: usize) -> io::Result<Self> {
        let mut threads = Vec::new();
        for _ in 0..count {
            let (jobs, taken) = mpsc::channel();
            thread::Builder::new().spawn(move || work(taken))?;
            threads.push(jobs);
        }
        Ok(Self { threads })
    }

    /// Makes each call once, then all of them on all threads. The first answers, or where one differs.
    pub(super) fn run(
        &self,
        handle: &Arc<Handle>,
        plan: Plan,
        output_bytes_max: usize,
    ) -> Result<Vec<Output>, String> {
        let calls = plan.calls.iter();
        let first: Vec<Output> = calls
            .map(|(op, parts)| make(handle, *op, parts, output_bytes_max))
            .collect();
        let (first, plan) = (Arc::new(first), Arc::new(plan));
        let (done, ends) = mpsc::channel();
        for (place, thread) in self.threads.iter().take(plan.threads).enumerate() {
            let job = Job {
                handle: Arc::clone(handle),
                plan: Arc::clone(&plan),
                first: Arc::clone(&first),
                output_bytes_max,
                place,
                done: done.clone(),
            };
            thread
                .send(job)
                .map_err(|_| "a thread is gone".to_owned())?;
        }
        drop(done);
        for end in ends {
            end?;
        }
        Ok(first.to_vec())
    }
}

fn work(jobs: Receiver<Job>) {
    for job in jobs {
        let end = job.run();
        let Job { handle, done, .. } = job;
        drop(handle);
        // Nobody waits where another thread found a difference first.
        let _ = done.send(end);
    }
}

impl Job {
    fn run(&self) -> Result<(), String> {
        let calls = &self.plan.calls;
        for round in 0..self.plan.rounds {
            for step in 0..calls.len() {
                let index = (step + self.place) % calls.len();
                let (op, parts) = &calls[index];
                let output = make(&self.handle, *op, parts, self.output_bytes_max);
                if output != self.first[index] {
                    return Err(format!(
                        "call {index} (operation {op}) answered differently on thread {} in round \
                         {round} than alone",
                        self.place
                    ));
                }
            }
        }
        Ok(())
    }
}

fn make(handle: &Handle, op: u32, parts: &[Vec<u8>], output_bytes_max: usize) -> Output {
    let mut borrowed: [&[u8]; PARTS_MAX] = [&[]; PARTS_MAX];
    for (place, part) in borrowed.iter_mut().zip(parts) {
        *place = part;
    }
    handle.call(op, &borrowed[..parts.len()], output_bytes_max)
}
