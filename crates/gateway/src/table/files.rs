//! The files that a table is made of.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The largest file that is read, in bytes.
const LARGEST: u64 = 16 << 20;

/// Files that were read, with how they were.
#[derive(Debug, Default)]
pub(crate) struct Files {
    read: Vec<(PathBuf, Option<Stamp>)>,
    /// How they were when they were looked at last, if that was another way.
    seen: Option<Vec<Option<Stamp>>>,
    /// How often somebody was waited for who may not be done.
    waits: u32,
}

/// After so many looks nobody is waited for any more: a table that is wrong is refused anyway.
const LOOKS: u32 = 20;

/// When a file was written, and how long it is.
pub(crate) type Stamp = (SystemTime, u64);

impl Files {
    /// Reads a file.
    pub(crate) fn read(&mut self, file: &Path) -> io::Result<String> {
        // Before it is read: what is written meanwhile is read again.
        self.read.push((file.to_owned(), stamp(file)));
        if std::fs::metadata(file)?.len() > LARGEST {
            let problem = format!("it has more than {LARGEST} bytes");
            return Err(io::Error::new(ErrorKind::FileTooLarge, problem));
        }
        std::fs::read_to_string(file)
    }

    /// Whether one of them was written again, and whoever did so is done: all are as they were when this
    /// was asked before, and none is empty. One that is away is about to be replaced.
    pub(crate) fn changed(&mut self) -> bool {
        let now: Vec<Option<Stamp>> = self.read.iter().map(|(file, _)| stamp(file)).collect();
        let pairs = now.iter().zip(&self.read);
        let written_again = pairs.filter(|(now, (_, then))| *now != then);
        let lengths = written_again.filter_map(|(now, _)| now.map(|(_, length)| length));
        // An empty one is about to be written.
        let Some(shortest) = lengths.min() else {
            (self.seen, self.waits) = (None, 0);
            return false;
        };
        self.waits += 1;
        let same = self.seen.as_ref() == Some(&now);
        let settled = (same && shortest > 0) || self.waits > LOOKS;
        self.seen = Some(now);
        settled
    }
}

/// How a file is, if it is there.
pub(crate) fn stamp(file: &Path) -> Option<Stamp> {
    let of = std::fs::metadata(file).ok()?;
    Some((of.modified().ok()?, of.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_again_when_it_was_written_to_its_end() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let file = folder.path().join("routes.toml");
        let write = |text: &str| std::fs::write(&file, text).expect("written");
        write("a");
        let mut files = Files::default();
        files.read(&file).expect("there");
        assert!(!files.changed() && !files.changed());
        write("");
        assert!(
            !files.changed() && !files.changed(),
            "somebody begins to write"
        );
        write("ab");
        assert!(!files.changed(), "he may go on");
        write("abc");
        assert!(!files.changed(), "he did");
        assert!(files.changed());
        std::fs::remove_file(&file).expect("there");
        assert!(!files.changed() && !files.changed());
        write("");
        assert_eq!(
            (0..=LOOKS).position(|_| files.changed()),
            Some(LOOKS as usize)
        );
    }
}
