//! A backup of a store that no daemon has open.

use std::{
    io::{self, Write},
    path::Path,
};

use super::super::{failure::Failure, store::path_of};
use crate::store::{EngineOptions, FORMAT, OpenError, Store, give_back, info};

/// Backs up the store itself. Whatever comes of it, all that is in it belongs to its owner afterwards.
pub(super) fn back_up(
    config: &Path,
    socket: &Path,
    take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), Failure> {
    let folder = path_of(config)?;
    if !folder.join("log").is_dir() {
        let words = format!(
            "no daemon answers on {}, and {} is no store",
            socket.display(),
            folder.display()
        );
        return Err(Failure::said(words));
    }
    let made = made_of(&folder, socket, take);
    let given = give_back(&folder);
    made?;
    Ok(given?)
}

fn made_of(
    folder: &Path,
    socket: &Path,
    take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), Failure> {
    let refused = |error: OpenError| match error {
        OpenError::Locked { .. } => Failure::said(format!(
            "the store is in use, but no daemon answers on {}: it is starting or stopping; try again",
            socket.display()
        )),
        error => Failure::said(error.to_string()),
    };
    // To open it would be to change it, which nobody asked for.
    if let Ok(found) = info(folder)
        && found.position > 0
        && found.format < FORMAT
    {
        let words = format!(
            "the store in {} has format {}, and this version would bring it to format {FORMAT} first: start this \
             version once (or run `trunkline store migrate`), or make the backup with the version that wrote the store",
            folder.display(),
            found.format
        );
        return Err(Failure::said(words));
    }
    let (store, _) = Store::open(folder, EngineOptions::default()).map_err(refused)?;
    let written = store.begin_backup().map(|backup| backup.write(Taken(take)));
    store.engine().clone().close();
    match written {
        Some(Ok(_)) => Ok(()),
        Some(Err(error)) => Err(Failure::said(error.to_string())),
        None => Err(Failure::said("another backup is being made")),
    }
}

/// Writes by handing on.
struct Taken<'a>(&'a mut dyn FnMut(&[u8]) -> io::Result<()>);

impl Write for Taken<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.0)(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
