#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wire::fuzzing::request_head(data));
