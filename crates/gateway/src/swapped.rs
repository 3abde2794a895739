//! What all workers read for each request, and somebody replaces now and then.
//!
//! A request counts that it uses it, and that it no longer does. A count that two processors move costs
//! several times what one costs that stays with one of them, so each worker has its own.

use std::sync::Arc;

use arc_swap::ArcSwap;
use crossbeam_utils::CachePadded;
use parking_lot::Mutex;
use wire::workers::PerWorker;

/// Something that is replaced as a whole.
#[derive(Debug)]
pub(crate) struct Swapped<T> {
    present: PerWorker<ArcSwap<CachePadded<Arc<T>>>>,
    /// One after the other, or workers could end up with different ones.
    storing: Mutex<()>,
}

/// Something that others have, too: whoever shares this one counts apart from them, on a cache line of
/// its own.
pub(crate) type Own<T> = Arc<CachePadded<Arc<T>>>;

/// For those who count together.
pub(crate) fn own<T>(shared: &Arc<T>) -> Own<T> {
    Arc::new(CachePadded::new(shared.clone()))
}

impl<T> Swapped<T> {
    /// `first` is there.
    pub(crate) fn new(first: T) -> Self {
        let first = Arc::new(first);
        Self {
            present: PerWorker::by_processors(|| ArcSwap::new(own(&first))),
            storing: Mutex::new(()),
        }
    }

    /// What is there now.
    pub(crate) fn load(&self) -> Own<T> {
        self.present.own().load_full()
    }

    /// From now on, `next` is there: whoever looks after this has returned finds it.
    pub(crate) fn store(&self, next: T) {
        let next = Arc::new(next);
        let _one = self.storing.lock();
        for present in self.present.all() {
            present.store(own(&next));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_replaced_lives_as_long_as_somebody_uses_it() {
        let (first, second) = (Arc::new(1), Arc::new(2));
        let value = Swapped::new(first.clone());
        let held = value.load();
        value.store(second.clone());
        assert_eq!((****held, ****value.load()), (1, 2));
        assert_eq!(Arc::strong_count(&first), 2);
        drop(held);
        assert_eq!(Arc::strong_count(&first), 1);
    }
}
