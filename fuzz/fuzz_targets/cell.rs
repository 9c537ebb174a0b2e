//! See `oncelot_fuzz::cell`.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| oncelot_fuzz::cell(data));

#[cfg(not(fuzzing))]
fn main() {}
