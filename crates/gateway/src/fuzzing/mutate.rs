//! Fuzzing with what every build has: inputs of the corpus, as they are and changed by lot. It does
//! not see what the code does with them, so it finds less than `cargo fuzz`.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Takes any bytes, and panics where a promise is not kept.
type Target = fn(&[u8]);

/// Each with its name, which is also that of its folder in `fuzz/corpus`.
const TARGETS: [(&str, Target); 6] = [
    ("router", super::router),
    ("cache_key", super::cache_key),
    ("headers", super::headers),
    ("table", super::table),
    ("request_head", wire::fuzzing::request_head),
    ("response_head", wire::fuzzing::response_head),
];
/// Bytes of an input.
const LONGEST: usize = 8192;
/// What means something to one target or another.
const WORDS: [&str; 24] = [
    "%",
    "%2e",
    "%2F",
    "..",
    "/",
    "//",
    "?",
    "&",
    "=",
    "{",
    "}",
    "{*x}",
    "*",
    ",",
    ":",
    ";",
    "\r\n",
    "\n",
    "---\n",
    "\0",
    "\"",
    "[",
    "]",
    "connection: ",
];

/// Numbers by lot (Marsaglia, "Xorshift RNGs", 2003).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % end.max(1)
    }

    /// A part of something that is `length` long.
    fn part(&mut self, length: usize) -> Range<usize> {
        let begin = self.below(length + 1);
        let most = (length - begin).min(1 << self.below(8));
        begin..begin + self.below(most + 1)
    }

    fn of<'a>(&mut self, inputs: &'a [Vec<u8>]) -> &'a [u8] {
        &inputs[self.below(inputs.len())]
    }
}

fn change(input: &mut Vec<u8>, dice: &mut Dice, others: &[Vec<u8>]) {
    let at = dice.below(input.len() + 1);
    match dice.below(6) {
        0 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << dice.below(8);
            }
        }
        1 => input.insert(at, dice.below(256) as u8),
        2 => drop(input.drain(dice.part(input.len()))),
        3 => {
            let part = input[dice.part(input.len())].to_vec();
            drop(input.splice(at..at, part));
        }
        4 => {
            let other = dice.of(others);
            let part = other[dice.part(other.len())].to_vec();
            let gone = dice.part(input.len());
            drop(input.splice(gone, part));
        }
        _ => {
            let word = WORDS[dice.below(WORDS.len())].bytes();
            drop(input.splice(at..at, word));
        }
    }
    input.truncate(LONGEST);
}

fn folder(what: &str, name: &str) -> PathBuf {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    fuzz.join(what).join(name)
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(folder("corpus", name)).expect("a folder");
    let read = |file: std::io::Result<std::fs::DirEntry>| {
        std::fs::read(file.expect("a file").path()).expect("read")
    };
    let inputs: Vec<Vec<u8>> = files.map(read).collect();
    assert!(!inputs.is_empty(), "nothing is kept for {name}");
    inputs
}

/// How many inputs a target took; the one that breaks a promise, if one does.
fn fuzz(name: &str, target: Target, time: Duration) -> Result<u64, Vec<u8>> {
    let inputs = corpus(name);
    let mut dice = Dice(RandomState::new().hash_one(name) | 1);
    let (begun, mut runs) = (Instant::now(), 0);
    while begun.elapsed() < time {
        let mut input = dice.of(&inputs).to_vec();
        for _ in 0..=dice.below(8) {
            change(&mut input, &mut dice, &inputs);
        }
        if catch_unwind(AssertUnwindSafe(|| target(&input))).is_err() {
            return Err(input);
        }
        runs += 1;
    }
    Ok(runs)
}

#[test]
fn what_is_kept_holds() {
    for (name, target) in TARGETS {
        corpus(name).iter().for_each(|input| target(input));
    }
}

/// `FUZZ_SECONDS` for each target, all of them side by side.
#[test]
#[ignore = "takes as long as one likes: cargo xtask test fuzz"]
fn what_is_changed_by_lot_holds() {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests are configured by their runner"
    )]
    let seconds = std::env::var("FUZZ_SECONDS").ok();
    let seconds = seconds.and_then(|text| text.parse().ok()).unwrap_or(10);
    let time = Duration::from_secs(seconds);
    let broken = std::thread::scope(|scope| {
        let running =
            TARGETS.map(|(name, target)| (name, scope.spawn(move || fuzz(name, target, time))));
        let ended = running.map(|(name, running)| (name, running.join().expect("it is caught")));
        let broken = ended.into_iter().filter_map(|(name, ended)| match ended {
            Ok(runs) => {
                assert!(runs > 0, "{name} had no time");
                None
            }
            Err(input) => Some(keep(name, &input)),
        });
        broken.collect::<Vec<_>>()
    });
    assert!(
        broken.is_empty(),
        "kept for `cargo fuzz`, and for you: {broken:?}"
    );
}

/// Where an input is that breaks a promise.
fn keep(name: &str, input: &[u8]) -> PathBuf {
    let folder = folder("artifacts", name);
    let file = folder.join(format!("{:016x}", RandomState::new().hash_one(input)));
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(&file, input).expect("written");
    file
}
