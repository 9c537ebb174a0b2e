//! See `oncelot_fuzz::lazy`.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| oncelot_fuzz::lazy(data));

#[cfg(not(fuzzing))]
fn main() {}
