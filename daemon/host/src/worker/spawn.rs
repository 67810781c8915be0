//! The one thread that starts workers.
//!
//! A worker asks the kernel to end it with its parent, and the kernel means the thread that started it:
//! so that is one that lives as long as this process.

use std::{
    io,
    process::{Child, Command},
    sync::mpsc::{self, Sender},
    thread,
};

use parking_lot::Mutex;

struct Order {
    command: Command,
    reply: Sender<io::Result<Child>>,
}

/// The way to the thread, once there is one.
static THREAD: Mutex<Option<Sender<Order>>> = Mutex::new(None);

/// Starts a process from the thread for that. Where there is no thread yet, or none could be made before,
/// it is made now.
pub(super) fn spawn(command: Command) -> io::Result<Child> {
    let gone = || io::Error::other("the thread that starts processes is gone");
    let orders = orders(&THREAD, start)?;
    let (reply, answer) = mpsc::channel();
    orders.send(Order { command, reply }).map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}

fn orders(
    thread: &Mutex<Option<Sender<Order>>>,
    start: impl FnOnce() -> io::Result<Sender<Order>>,
) -> io::Result<Sender<Order>> {
    let mut known = thread.lock();
    if let Some(orders) = &*known {
        return Ok(orders.clone());
    }
    let orders = start()?;
    *known = Some(orders.clone());
    Ok(orders)
}

fn start() -> io::Result<Sender<Order>> {
    let (orders, taken) = mpsc::channel::<Order>();
    let run = move || {
        for mut order in taken {
            // Whoever asked may have given up: then the child is dropped, and ends with its socket.
            let _ = order.reply.send(order.command.spawn());
        }
    };
    thread::Builder::new()
        .name("plugin-spawner".into())
        .spawn(run)?;
    Ok(orders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_could_not_be_made_is_made_for_the_next_order() {
        let thread = Mutex::new(None);
        let none = || -> io::Result<Sender<Order>> { Err(io::ErrorKind::WouldBlock.into()) };
        let error = orders(&thread, none).expect_err("no thread");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(orders(&thread, start).is_ok());
        assert!(orders(&thread, none).is_ok(), "there is one");
    }
}
