//! Buffers that messages are written into, kept between messages: who writes a hundred thousand of
//! them a second need not allocate each anew.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// Bytes of a buffer that is kept at most: most messages fit, and who writes a long one pays for it.
const LARGEST: usize = 16 << 10;
/// Bytes of a new buffer: a head and a small body.
const USUAL: usize = 2 << 10;
/// Buffers that a thread keeps: about as many as are [posted](crate::post) at once.
const KEPT: usize = 64;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer, which the thread gets back when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Spare(Vec<u8>);

impl Spare {
    /// The one that was given back last, or a new one; empty.
    pub(crate) fn take() -> Self {
        let kept = SPARE.with_borrow_mut(Vec::pop);
        Self(kept.unwrap_or_else(|| Vec::with_capacity(USUAL)))
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        if (1..=LARGEST).contains(&self.0.capacity()) {
            self.0.clear();
            let buffer = std::mem::take(&mut self.0);
            // A thread that ends keeps nothing.
            let _ = SPARE.try_with(|kept| {
                let mut kept = kept.borrow_mut();
                if kept.len() < KEPT {
                    kept.push(buffer);
                }
            });
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
