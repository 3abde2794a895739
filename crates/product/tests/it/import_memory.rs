//! An import holds no more of a file than it is about to write.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use product::{ImportSettings, ImportSummary, Rejection, Watch, import_products};
use rialto::Role;
use testkit::TestShop;

use crate::import_files::usual;

/// A file that is made while it is read, and notes how far that is.
struct Endless {
    line: usize,
    lines: usize,
    rest: Vec<u8>,
    given: Rc<Cell<u64>>,
}

impl Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.rest.len() < out.len() && self.line < self.lines {
            let line = self.line;
            let text = match line {
                0 => String::from("Handle,Title,Body (HTML),Variant SKU,Variant Price\n"),
                // Every other one is wrong, so that what is told does not pile up either.
                _ => format!(
                    "p-{line},P,{:0>100},S-{line},{}\n",
                    line,
                    if line.is_multiple_of(2) { "1" } else { "x" }
                ),
            };
            self.rest.extend_from_slice(text.as_bytes());
            self.line += 1;
        }
        let count = self.rest.len().min(out.len());
        out[..count].copy_from_slice(&self.rest[..count]);
        self.rest.drain(..count);
        self.given.set(self.given.get() + count as u64);
        Ok(count)
    }
}

/// How much of the file was read, and neither written nor told yet, at the most.
struct Held {
    given: Rc<Cell<u64>>,
    done: u64,
    most: u64,
}

impl Watch for Held {
    fn rejected(&mut self, _: &Rejection) {}

    fn progress(&mut self, bytes: u64, _: &ImportSummary) {
        self.most = self.most.max(self.given.get() - self.done);
        self.done = bytes;
    }
}

#[tokio::test]
async fn a_hundred_thousand_lines_are_never_in_memory() {
    let shop = TestShop::start().await;
    let given = Rc::new(Cell::new(0));
    let file = Endless {
        line: 0,
        lines: 100_001,
        rest: Vec::new(),
        given: given.clone(),
    };
    let mut held = Held {
        given: given.clone(),
        done: 0,
        most: 0,
    };
    let settings = ImportSettings {
        dry_run: true,
        ..usual()
    };
    let done = import_products(shop.db(Role::Product), file, &settings, &mut held).await;
    let done = done.expect("the file is read");
    assert_eq!(
        (done.lines, done.added, done.rejected),
        (100_000, 50_000, 50_000)
    );
    assert!(given.get() > 12_000_000, "{}", given.get());
    assert!(held.most < 2_000_000, "{} bytes were held", held.most);
}
