//! Which purges there were. Every purge has a number, and every answer knows how many there had
//! been when its upstream was asked: a later purge of one of its tags concerns it, wherever it was
//! meanwhile. Entries are checked when they are used, and only if there was a purge since the last
//! check, so a purge costs the same however many entries it concerns.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use kernel::Timestamp;
use parking_lot::RwLock;

use super::entry::Entry;

/// How a purge is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PurgeMode {
    /// Not to be used any more at all.
    Hard,
    /// Stale from now on: still to be used where stale answers may be.
    Soft,
}

/// A purge of one tag.
#[derive(Debug, Clone, Copy, Default)]
struct Record {
    hard: u64,
    soft: u64,
    soft_at: i64,
}

impl Record {
    const fn last(&self) -> u64 {
        if self.hard > self.soft {
            self.hard
        } else {
            self.soft
        }
    }
}

/// The purges that may concern anything stored.
pub(crate) struct Purges {
    count: AtomicU64,
    hasher: RandomState,
    capacity: usize,
    records: RwLock<Records>,
    /// The paths that may be stored or on their way, as a Bloom filter of one hash: an unsafe
    /// request to any other leaves no record.
    paths: Box<[AtomicU64]>,
}

#[derive(Default)]
struct Records {
    by_tag: HashMap<u64, Record>,
    /// The tag of each record by the number of its last purge.
    by_age: BTreeMap<u64, u64>,
    /// What concerns everything, and what was forgotten.
    all: Record,
}

/// Words of the filter: a million paths.
const WORDS: usize = 1 << 14;

impl Purges {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            count: AtomicU64::new(1),
            hasher: RandomState::new(),
            capacity: capacity.max(1),
            records: RwLock::default(),
            paths: (0..WORDS).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// What stands for a tag. Two tags that share it are purged together, which is one in 2^64.
    pub(crate) fn hash(&self, tag: &str) -> u64 {
        self.hasher.hash_one(tag)
    }

    /// What stands for a key, and for whether the request was one with `Authorization`.
    pub(crate) fn hash_key(&self, key: &[u8], authorized: bool) -> u64 {
        self.hasher.hash_one((key, authorized))
    }

    /// Something at this path may be stored from now on.
    pub(crate) fn expect_path(&self, hash: u64) {
        let (word, bit) = self.path(hash);
        // Reading first keeps the line shared between processors.
        if word.load(Ordering::Relaxed) & bit == 0 {
            word.fetch_or(bit, Ordering::SeqCst);
        }
    }

    /// Whether something at this path may be stored or on its way.
    pub(crate) fn expects_path(&self, hash: u64) -> bool {
        let (word, bit) = self.path(hash);
        word.load(Ordering::SeqCst) & bit != 0
    }

    fn path(&self, hash: u64) -> (&AtomicU64, u64) {
        let index = usize::try_from(hash >> 6).unwrap_or(0) % WORDS;
        (&self.paths[index], 1 << (hash & 63))
    }

    /// Purges what has one of `tags`.
    pub(crate) fn purge(&self, tags: &[u64], mode: PurgeMode, now: Timestamp) {
        let mut guard = self.records.write();
        let records = &mut *guard;
        let mut number = self.count();
        for tag in tags {
            number += 1;
            let record = records.by_tag.entry(*tag).or_default();
            records.by_age.remove(&record.last());
            record.note(number, mode, now);
            records.by_age.insert(number, *tag);
        }
        records.forget(self.capacity);
        self.count.store(number, Ordering::Release);
    }

    /// Purges everything.
    pub(crate) fn purge_all(&self, mode: PurgeMode, now: Timestamp) {
        let mut records = self.records.write();
        let number = self.count() + 1;
        records.all.note(number, mode, now);
        if mode == PurgeMode::Hard {
            records.by_tag.clear();
            records.by_age.clear();
        }
        self.count.store(number, Ordering::Release);
    }

    /// Whether `entry` may still be used; a soft purge makes it stale here.
    pub(crate) fn outlived(&self, entry: &Entry) -> bool {
        let count = self.count();
        if entry.outlived.load(Ordering::Relaxed) >= count {
            return true;
        }
        let Some(stopped) = self.concerns(&entry.meta.tags.hashes, entry.meta.birth) else {
            return false;
        };
        if let Some(at) = stopped {
            entry.stop(at);
        }
        entry.outlived.store(count, Ordering::Relaxed);
        true
    }

    /// `None` if what was asked for at `birth` was purged since; else when it became stale, if so.
    pub(crate) fn concerns(&self, tags: &[u64], birth: u64) -> Option<Option<Timestamp>> {
        let records = self.records.read();
        let mut stopped: Option<i64> = None;
        let known = tags.iter().filter_map(|tag| records.by_tag.get(tag));
        for record in known.chain([&records.all]) {
            if record.hard > birth {
                return None;
            }
            if record.soft > birth {
                stopped = Some(stopped.map_or(record.soft_at, |at| at.min(record.soft_at)));
            }
        }
        Some(stopped.map(Timestamp::from_micros))
    }
}

impl Record {
    fn note(&mut self, number: u64, mode: PurgeMode, now: Timestamp) {
        match mode {
            PurgeMode::Hard => self.hard = number,
            PurgeMode::Soft => {
                self.soft = number;
                self.soft_at = now.micros();
            }
        }
    }
}

impl Records {
    /// What is forgotten counts for everything that is as old.
    fn forget(&mut self, capacity: usize) {
        while self.by_tag.len() > capacity {
            let Some((_, tag)) = self.by_age.pop_first() else {
                return;
            };
            if let Some(record) = self.by_tag.remove(&tag) {
                self.all.hard = self.all.hard.max(record.hard);
                if record.soft > self.all.soft {
                    self.all.soft = record.soft;
                    self.all.soft_at = record.soft_at;
                }
            }
        }
    }
}
