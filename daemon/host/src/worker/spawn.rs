//! The one thread that starts workers.
//!
//! A worker asks the kernel to end it with its parent, and the kernel means the thread that started it:
//! so that is one that lives as long as this process.

use std::{
    io,
    process::{Child, Command},
    sync::{
        OnceLock,
        mpsc::{self, Sender},
    },
    thread,
};

struct Order {
    command: Command,
    reply: Sender<io::Result<Child>>,
}

/// Starts a process from the thread for that.
pub(super) fn spawn(command: Command) -> io::Result<Child> {
    static THREAD: OnceLock<Sender<Order>> = OnceLock::new();
    let gone = || io::Error::other("the thread that starts processes is gone");
    let orders = THREAD.get_or_init(start);
    let (reply, answer) = mpsc::channel();
    orders.send(Order { command, reply }).map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}

fn start() -> Sender<Order> {
    let (orders, taken) = mpsc::channel::<Order>();
    let run = move || {
        for mut order in taken {
            // Whoever asked may have given up: then the child is dropped, and ends with its socket.
            let _ = order.reply.send(order.command.spawn());
        }
    };
    // Where no thread can be made, its receiver is gone with it, and each order says so.
    let _ = thread::Builder::new()
        .name("plugin-spawner".into())
        .spawn(run);
    orders
}
