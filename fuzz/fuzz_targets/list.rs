//! The list of waiters.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| oncelot_fuzz::list::list(data));

#[cfg(not(fuzzing))]
fn main() {
    oncelot_fuzz::replay_arguments(oncelot_fuzz::list::list);
}
