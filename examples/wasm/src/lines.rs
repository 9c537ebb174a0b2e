//! Checks the events of the cells (feature `tracing`).

use std::{cell::RefCell, io, str};

use oncelot::OnceCell;
use tracing_subscriber::filter::LevelFilter;

thread_local! {
    /// The lines of the events so far.
    static LINES: RefCell<String> = const { RefCell::new(String::new()) };
}

struct Lines;

impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| *lines += str::from_utf8(line).expect("lines are text"));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Initializes a cell while there is no subscriber, and installs one.
pub(crate) async fn collect_from_here() {
    assert_eq!(OnceCell::new().get_or_init(async || 1).await, &1);
    let lines = tracing_subscriber::fmt().without_time().with_ansi(false);
    lines
        .with_max_level(LevelFilter::TRACE)
        .with_writer(|| Lines)
        .init();
}

/// Checks the lines. They have no duration, as `std` has no clock on this target.
pub(crate) fn check() {
    assert_eq!(
        LINES.take(),
        r#"TRACE oncelot: waiting value="u32"
TRACE oncelot: waiting value="u32"
DEBUG initialize{value="u32" attempt=1}: oncelot: initialized
TRACE oncelot: waiting value="u32"
 WARN initialize{value="u32" attempt=1}: oncelot: the initializer was cancelled
DEBUG initialize{value="u32" attempt=2}: oncelot: initialized
TRACE oncelot: waiting value="u32"
TRACE oncelot: waiting value="u32"
 WARN initialize{value="u32" attempt=1}: oncelot: the initializer failed error="oncelot_wasm_example::host::Rejected"
DEBUG initialize{value="u32" attempt=2}: oncelot: initialized
"#
    );
    crate::report("a subscriber was called for all of it, on a target without a clock");
}
