//! Reads a CSV file (RFC 4180) record by record, in constant memory.
//!
//! It is strict about quotes where others forgive: a quote that is never closed would swallow the
//! rest of the file into one field, and goods with it. A record that cannot be read costs its
//! first line only; what follows is read anew.

mod split;

use std::io::{self, ErrorKind, Read};

use self::split::{Cut, split};

/// The most bytes of one record: room for the longest description, several times over.
pub(crate) const LONGEST: usize = 256 * 1024;
const CHUNK: usize = 64 * 1024;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// The records of a file.
#[derive(Debug)]
pub(crate) struct Records<R> {
    input: R,
    buffer: Vec<u8>,
    /// Where in the buffer the next record begins, and in which line of the file.
    start: usize,
    line: u64,
    /// How many bytes were done with before those in the buffer.
    gone: u64,
    ended: bool,
}

/// A record with the line of the file that it begins in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) line: u64,
    pub(crate) fields: Vec<String>,
    pub(crate) bytes: usize,
}

/// A record that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) line: u64,
    pub(crate) flaw: Flaw,
    /// What could be read, up to the flaw.
    pub(crate) fields: Vec<String>,
}

/// Why a record cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Flaw {
    #[error("the line is not UTF-8; save the file as `CSV UTF-8`")]
    NotUtf8,
    #[error("a quote is opened that is not closed again")]
    Unclosed,
    #[error(
        "a comma or the end of the line must follow a closing quote; within quotes, a quote is \
         written twice"
    )]
    Stray,
    #[error("the line is longer than 256 KiB")]
    TooLong,
}

impl<R: Read> Records<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            start: 0,
            line: 1,
            gone: 0,
            ended: false,
        }
    }

    /// How many bytes of the file were done with.
    pub(crate) fn position(&self) -> u64 {
        self.gone + u64::try_from(self.start).unwrap_or(u64::MAX)
    }

    /// The next record; `None` at the end.
    pub(crate) fn read(&mut self) -> io::Result<Option<Result<Record, Unreadable>>> {
        loop {
            if self.position() == 0 && self.buffer.starts_with(BOM) {
                self.start = BOM.len();
            }
            let rest = &self.buffer[self.start..];
            if rest.is_empty() && self.ended {
                return Ok(None);
            }
            let (flaw, fields) = match split(rest, self.ended) {
                Cut::Record(fields, bytes) => return Ok(Some(self.record(fields, bytes))),
                Cut::Stray(fields) => (Flaw::Stray, fields),
                Cut::Unfinished { quoted, fields } if self.ended || rest.len() >= LONGEST => {
                    let flaw = if quoted {
                        Flaw::Unclosed
                    } else {
                        Flaw::TooLong
                    };
                    (flaw, fields)
                }
                Cut::Unfinished { .. } => {
                    self.fill()?;
                    continue;
                }
            };
            let fields = fields.into_iter().map(lossy).collect();
            let line = self.line;
            self.skip_line()?;
            return Ok(Some(Err(Unreadable { line, flaw, fields })));
        }
    }

    fn record(&mut self, fields: Vec<Vec<u8>>, bytes: usize) -> Result<Record, Unreadable> {
        let line = self.line;
        self.line += newlines(&self.buffer[self.start..self.start + bytes]);
        self.start += bytes;
        let mut texts = Vec::with_capacity(fields.len());
        let mut bad_line = None;
        let mut field_line = line;
        for field in fields {
            let breaks = newlines(&field);
            texts.push(String::from_utf8(field).unwrap_or_else(|error| {
                let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                bad_line.get_or_insert(field_line + newlines(good));
                lossy(error.into_bytes())
            }));
            field_line += breaks;
        }
        match bad_line {
            None => Ok(Record {
                line,
                fields: texts,
                bytes,
            }),
            Some(line) => Err(Unreadable {
                line,
                flaw: Flaw::NotUtf8,
                fields: texts,
            }),
        }
    }

    /// Reads some more.
    fn fill(&mut self) -> io::Result<()> {
        self.gone = self.position();
        self.buffer.drain(..self.start);
        self.start = 0;
        let kept = self.buffer.len();
        self.buffer.resize(kept + CHUNK, 0);
        let read = loop {
            match self.input.read(&mut self.buffer[kept..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buffer.truncate(kept + *read.as_ref().unwrap_or(&0));
        self.ended = read? == 0;
        Ok(())
    }

    /// Gives up the line, however long it is.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let rest = &self.buffer[self.start..];
            if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                self.start += end + 1;
                self.line += 1;
                return Ok(());
            }
            self.start = self.buffer.len();
            if self.ended {
                return Ok(());
            }
            self.fill()?;
        }
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives few bytes at a time, so that every record is cut somewhere.
    struct Drops<'a>(&'a [u8], usize);

    impl Read for Drops<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(out.len());
            let (now, later) = self.0.split_at(count);
            out[..count].copy_from_slice(now);
            self.0 = later;
            Ok(count)
        }
    }

    type Line = (u64, Result<Vec<String>, Flaw>);

    fn lines(file: &[u8], drop: usize) -> Vec<Line> {
        let mut records = Records::new(Drops(file, drop));
        let mut lines = Vec::new();
        while let Some(read) = records.read().expect("memory can be read") {
            assert!(
                records.buffer.len() <= LONGEST + CHUNK,
                "more than a record is kept"
            );
            lines.push(match read {
                Ok(record) => (record.line, Ok(record.fields)),
                Err(unreadable) => (unreadable.line, Err(unreadable.flaw)),
            });
        }
        assert_eq!(records.position(), file.len() as u64);
        lines
    }

    fn all(file: impl AsRef<[u8]>) -> Vec<Line> {
        lines(file.as_ref(), usize::MAX)
    }

    fn good(line: u64, fields: &[&str]) -> Line {
        (
            line,
            Ok(fields.iter().map(|field| (*field).to_owned()).collect()),
        )
    }

    proptest! {
        #[test]
        fn what_others_write_is_read(
            records in prop::collection::vec(prop::collection::vec("[a,\"\r\nü ]{0,6}", 2..5), 0..6),
            windows: bool, last_line_ends: bool, drop in 1..20_usize,
        ) {
            let end = if windows { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
            let mut writer = csv::WriterBuilder::new().flexible(true).terminator(end).from_writer(Vec::new());
            for record in &records {
                writer.write_record(record).expect("written");
            }
            let mut file = writer.into_inner().expect("written");
            if !last_line_ends {
                file.truncate(file.len().saturating_sub(if windows { 2 } else { 1 }));
            }
            let read = lines(&file, drop);
            let read: Vec<_> = read.into_iter().map(|(_, fields)| fields.expect("readable")).collect();
            prop_assert_eq!(read, records);
        }

        #[test]
        fn whatever_comes_it_ends_and_is_the_same_in_drops(
            file in "[a,\"\r\n\u{feff}]{0,60}", drop in 1..9_usize,
        ) {
            prop_assert_eq!(lines(file.as_bytes(), drop), all(&file));
        }
    }

    #[test]
    fn lines_are_those_of_the_file() {
        let file = "\u{feff}a,b\r\n\"1\n2\",\"say \"\"x\"\"\"\n\nc,d\"e";
        let expected = [
            good(1, &["a", "b"]),
            good(2, &["1\n2", "say \"x\""]),
            good(4, &[""]),
            good(5, &["c", "d\"e"]),
        ];
        assert_eq!(all(file), expected);
        assert!(all("").is_empty() && all("\u{feff}").is_empty());
    }

    #[test]
    fn a_flaw_costs_one_line() {
        let stray = "a,b\n\"a\"b,c\nd,e\n";
        let expected = [
            good(1, &["a", "b"]),
            (2, Err(Flaw::Stray)),
            good(3, &["d", "e"]),
        ];
        assert_eq!(all(stray), expected);
        // The quote of the second line would end in the third, were it not for what follows it.
        let swallowing = "a,b\nc,\"d\ne,\"f\"\ng,h\n";
        let expected = [
            good(1, &["a", "b"]),
            (2, Err(Flaw::Stray)),
            good(3, &["e", "f"]),
            good(4, &["g", "h"]),
        ];
        assert_eq!(all(swallowing), expected);
        let open = "a,b\nc,\"d\ne,f\n";
        let expected = [
            good(1, &["a", "b"]),
            (2, Err(Flaw::Unclosed)),
            good(3, &["e", "f"]),
        ];
        assert_eq!(all(open), expected);
        let latin = b"a\n\"x\ny\xe9\"\nb\n";
        let expected = [good(1, &["a"]), (3, Err(Flaw::NotUtf8)), good(4, &["b"])];
        assert_eq!(all(latin), expected);
    }

    #[test]
    fn no_record_is_too_long_to_be_passed_over() {
        let long = "x".repeat(3 * LONGEST);
        for file in [format!("{long}\nb\n"), format!("\"{long}\nb\n")] {
            for drop in [1000, usize::MAX] {
                let lines = lines(file.as_bytes(), drop);
                assert!(matches!(lines[0], (1, Err(Flaw::TooLong | Flaw::Unclosed))));
                assert_eq!(lines[1..], [good(2, &["b"])]);
            }
        }
    }
}
