//! Buffers that messages are written into, kept between messages: who writes a hundred thousand of
//! them a second need not allocate each anew.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};

/// What a thread keeps: most messages fit, and who writes a long one pays for it.
const KEPT: usize = 16 << 10;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A buffer, which the thread gets back when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Spare(Vec<u8>);

impl Spare {
    /// The one that the thread has kept, or a new one; empty.
    pub(crate) fn take() -> Self {
        Self(SPARE.take())
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        if (1..=KEPT).contains(&self.0.capacity()) {
            self.0.clear();
            SPARE.set(std::mem::take(&mut self.0));
        }
    }
}

impl Deref for Spare {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Spare {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}
