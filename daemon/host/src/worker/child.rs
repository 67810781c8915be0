//! The worker itself: what runs in the other process.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use parking_lot::Mutex;
use trunkline_plugin_api::wire::Code;

use super::{
    frame::{self, Frame, FrameError, Frames, Kind},
    logs, sandbox, storm,
};
use crate::library::{Handle, Output, Table};

/// What a worker was started with.
struct Order {
    file: PathBuf,
    output_bytes_max: usize,
    memory_bytes_max: u64,
    threads: usize,
    parent: i32,
}

/// The main function of a worker: never returns before the other side is gone. `arguments` are those of
/// [`super::arguments`]. Starts no runtime, writes to no log.
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    let Some(order) = Order::read(arguments) else {
        eprintln!("plugin-host is how the daemon starts processes for plugins; it is no command");
        return ExitCode::from(2);
    };
    let Ok(socket) = sandbox::only_socket() else {
        return ExitCode::from(2);
    };
    let socket = Arc::new(socket);
    match run(&order, &socket) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The other side may be what is gone.
            let words = error.to_string();
            let _ = frame::write(&mut &*socket, Kind::Failed, 0, &[words.as_bytes()]);
            ExitCode::FAILURE
        }
    }
}

impl Order {
    fn read(arguments: Vec<OsString>) -> Option<Self> {
        let mut arguments = arguments.into_iter();
        let file = arguments.next()?.into();
        let mut number = || arguments.next()?.to_str()?.parse::<u64>().ok();
        Some(Self {
            file,
            output_bytes_max: number()?.try_into().ok()?,
            memory_bytes_max: number()?,
            threads: number()?.try_into().ok()?,
            parent: number()?.try_into().ok()?,
        })
    }
}

fn run(order: &Order, socket: &Arc<File>) -> io::Result<()> {
    sandbox::end_with_parent(order.parent)?;
    sandbox::limit(order.memory_bytes_max)?;
    let is_landlocked = sandbox::first_stage(&order.file)?;
    frame::write(&mut &**socket, Kind::Sealed, is_landlocked.into(), &[])?;
    let pool = storm::Pool::start(order.threads)?;
    let table = match Table::load(&order.file) {
        Ok(table) => table,
        Err(words) => {
            return frame::write(&mut &**socket, Kind::NotLoaded, 0, &[words.as_bytes()]);
        }
    };
    sandbox::second_stage()?;
    let mut host = Host {
        table,
        handle: None,
        pool,
        out: Arc::new(Mutex::new(Arc::clone(socket))),
        output_bytes_max: order.output_bytes_max,
    };
    host.write(Kind::Loaded, 0, &[])?;
    host.serve(socket)
}

/// The library and its open channel.
struct Host {
    table: Table,
    handle: Option<Arc<Handle>>,
    pool: storm::Pool,
    /// Held while a frame is written: lines for the log come from any thread.
    out: Arc<Mutex<Arc<File>>>,
    output_bytes_max: usize,
}

impl Host {
    fn serve(&mut self, socket: &File) -> io::Result<()> {
        let mut frames = Frames::new(u32::MAX as usize);
        loop {
            match frames.next(|buffer| (&mut &*socket).read(buffer)) {
                Ok(frame) => self.answer(frame)?,
                Err(FrameError::End | FrameError::Cut) => return Ok(()),
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }

    fn answer(&mut self, frame: Frame<'_>) -> io::Result<()> {
        match frame.kind {
            Kind::Describe => {
                let output = self.table.describe(self.output_bytes_max);
                self.write_output(&output)
            }
            Kind::Open => {
                let output = self.open(frame.payload, frame.number);
                self.write_output(&output)
            }
            Kind::Call => {
                let output = self.call(frame)?;
                self.write_output(&output)
            }
            Kind::Close => {
                self.handle = None;
                self.write(Kind::Output, 0, &[])
            }
            Kind::Storm => self.storm(frame),
            kind => Err(io::Error::other(format!("{kind:?} is no order"))),
        }
    }

    fn open(&mut self, input: &[u8], host_struct_size: u32) -> Output {
        self.handle = None;
        let out = self.out.clone();
        let say = move |level: u32, target: &str, message: &str| {
            let target = logs::payload(target);
            // Where the other side is gone, so is this process in a moment.
            let _ = frame::write(
                &mut &**out.lock(),
                Kind::Log,
                level,
                &[&target, message.as_bytes()],
            );
        };
        let (output, handle) = self.table.open_with(
            Box::new(say),
            input,
            self.output_bytes_max,
            host_struct_size,
        );
        self.handle = handle.map(Arc::new);
        output
    }

    fn handle(&self) -> io::Result<&Arc<Handle>> {
        let none = || io::Error::other("a call without an open channel");
        self.handle.as_ref().ok_or_else(none)
    }

    fn call(&self, frame: Frame<'_>) -> io::Result<Output> {
        let mut rest = frame.payload;
        let broken = || io::Error::other("a call of broken parts");
        let (parts, count) = frame::take_parts(&mut rest).ok_or_else(broken)?;
        let handle = self.handle()?;
        let output = handle.call(frame.number, &parts[..count], self.output_bytes_max);
        if output.code == Code::Panic as i32 {
            handle.abandon();
        }
        Ok(output)
    }

    fn storm(&self, frame: Frame<'_>) -> io::Result<()> {
        let plan = storm::Plan::read(frame.payload, frame.number)
            .ok_or_else(|| io::Error::other("a storm of broken parts"))?;
        match self.pool.run(self.handle()?, plan, self.output_bytes_max) {
            Ok(outputs) => outputs
                .iter()
                .try_for_each(|output| self.write_output(output)),
            Err(words) => self.write(Kind::Differs, 0, &[words.as_bytes()]),
        }
    }

    fn write_output(&self, output: &Output) -> io::Result<()> {
        let kind = if output.overflowed {
            Kind::Overflowed
        } else {
            Kind::Output
        };
        self.write(kind, output.code.cast_unsigned(), &[&output.bytes])
    }

    fn write(&self, kind: Kind, number: u32, pieces: &[&[u8]]) -> io::Result<()> {
        frame::write(&mut &**self.out.lock(), kind, number, pieces)
    }
}
