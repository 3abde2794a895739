//! The files that a table is made of.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The largest file that is read, in bytes.
const LARGEST: u64 = 16 << 20;

/// Files that were read, with when they had been written.
#[derive(Debug, Default)]
pub(crate) struct Files(Vec<(PathBuf, Option<SystemTime>)>);

impl Files {
    /// Reads a file.
    pub(crate) fn read(&mut self, file: &Path) -> io::Result<String> {
        // Before it is read: what is written meanwhile is read again.
        self.0.push((file.to_owned(), modified(file)));
        if std::fs::metadata(file)?.len() > LARGEST {
            let problem = format!("it has more than {LARGEST} bytes");
            return Err(io::Error::new(ErrorKind::FileTooLarge, problem));
        }
        std::fs::read_to_string(file)
    }

    /// Whether one of them was written again. One that is away is about to be replaced.
    pub(crate) fn changed(&self) -> bool {
        let written_again = |(file, written): &(PathBuf, Option<SystemTime>)| {
            let now = modified(file);
            now.is_some() && now != *written
        };
        self.0.iter().any(written_again)
    }
}

fn modified(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).and_then(|of| of.modified()).ok()
}
