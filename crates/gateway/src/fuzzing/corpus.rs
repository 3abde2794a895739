//! The inputs of `fuzz/corpus` in every run of the tests: what has broken a promise does not again.

use std::path::Path;

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

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let files = std::fs::read_dir(corpus.join(name)).expect("a folder");
    let read = |file: std::io::Result<std::fs::DirEntry>| {
        std::fs::read(file.expect("a file").path()).expect("read")
    };
    let inputs: Vec<Vec<u8>> = files.map(read).collect();
    assert!(!inputs.is_empty(), "nothing is kept for {name}");
    inputs
}

#[test]
fn what_is_kept_holds() {
    for (name, target) in TARGETS {
        corpus(name).iter().for_each(|input| target(input));
    }
}
