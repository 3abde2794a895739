//! Who will be woken.

use std::task::{RawWakerVTable, Waker};

/// A task, by where it is: for whoever knows that somebody else will wake it, and so keeps it there, and
/// need not hold it as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Woken(usize, usize);

impl Woken {
    /// The one that `waker` wakes.
    pub(crate) fn by(waker: &Waker) -> Self {
        let vtable: *const RawWakerVTable = waker.vtable();
        Self(waker.data().addr(), vtable.addr())
    }
}
