//! What all workers read for each request, and somebody replaces now and then.
//!
//! A request counts that it uses it, and that it no longer does. A count that two processors move costs
//! several times what one costs that stays with one of them, so each worker has its own.

use std::sync::Arc;

use arc_swap::ArcSwap;
use wire::workers::PerWorker;

/// Something that is replaced as a whole.
#[derive(Debug)]
pub(crate) struct Swapped<T>(PerWorker<ArcSwap<Arc<T>>>);

/// Something that others have, too: whoever shares this one counts apart from them.
pub(crate) type Own<T> = Arc<Arc<T>>;

impl<T> Swapped<T> {
    pub(crate) fn new(first: T) -> Self {
        let first = Arc::new(first);
        let own = || ArcSwap::from_pointee(first.clone());
        Self(PerWorker::by_processors(own))
    }

    /// What is there now.
    pub(crate) fn load(&self) -> Own<T> {
        self.0.own().load_full()
    }

    /// From now on, `next` is there: whoever looks after this has returned finds it.
    pub(crate) fn store(&self, next: T) {
        let next = Arc::new(next);
        for own in self.0.all() {
            own.store(Arc::new(next.clone()));
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
        assert_eq!((***held, ***value.load()), (1, 2));
        assert_eq!(Arc::strong_count(&first), 2);
        drop(held);
        assert_eq!(Arc::strong_count(&first), 1);
    }
}
