//! A logger gets what `defmt` formats of cells, lazies and errors.
//!
//! A frame contains the numbers of strings, which stay in the file of the program, and the values. The program checks the
//! values, and which strings are the same.

#![no_std]
#![no_main]

use core::{
    cell::RefCell,
    future::{Ready, ready},
};

use critical_section::Mutex;
use defmt::Format;
use oncelot::{InitializingError, Lazy, OnceCell, SetError, State, lazy};
use oncelot_firmware_example::{board::entry, report, succeed};

const VALUE: u32 = 0x1234_5678;

lazy! {
    static STATIC: u32 = async { VALUE };
}

#[entry]
fn main() -> ! {
    let cell = OnceCell::new();
    let empty = Frame::of(&cell);
    let mut initializing = None;
    let value = cell.try_get_or_init(|| {
        initializing = Some(Frame::of(&cell));
        VALUE
    });
    assert_eq!(value, Ok(&VALUE));
    let initializing = initializing.expect("the initializer has run");
    let ready = Frame::of(&cell);

    assert_eq!(Frame::of(&OnceCell::<u32>::new()), empty);
    assert_ne!(empty, initializing);
    for frame in [&empty, &initializing] {
        assert_eq!(frame.name(), ready.name());
        assert!(!frame.has_value());
    }
    assert!(ready.has_value());
    report!("  a cell is formatted as its value, or its state");

    let lazy = Lazy::<u32, Ready<u32>>::new(ready_value());
    let frame = Frame::of(&lazy);
    assert_ne!(frame.name(), ready.name());
    assert_ne!(Frame::of(&STATIC).name(), frame.name());
    for state in [frame, Frame::of(&STATIC)] {
        assert_eq!(state.content(), empty.content());
    }
    assert!(Frame::of(&Lazy::<u32, Ready<u32>>::with_value(VALUE)).has_value());
    report!("  so are lazies and statics");

    let errors = [
        SetError::AlreadyInitializedError(VALUE),
        SetError::InitializingError(VALUE),
    ];
    let [already, is_initializing] = errors.map(|error| Frame::of(&error));
    assert_ne!(already, is_initializing);
    assert!(already.has_value() && is_initializing.has_value());
    assert_ne!(Frame::of(&InitializingError), is_initializing);
    let [uninit, initializing, ready] =
        [State::Uninit, State::Initializing, State::Ready].map(|state| Frame::of(&state));
    assert!(uninit != initializing && initializing != ready && ready != uninit);
    report!("  errors keep their values, and states differ");
    succeed()
}

fn ready_value() -> Ready<u32> {
    ready(VALUE)
}

/// What the logger got for one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Frame {
    bytes: [u8; 32],
    len: usize,
}

impl Frame {
    const EMPTY: Self = Self {
        bytes: [0; 32],
        len: 0,
    };

    /// Logs `shown` as one message.
    fn of(shown: &impl Format) -> Self {
        critical_section::with(|section| LAST.borrow_ref_mut(section).len = 0);
        // One message for all, so that its number is always the same.
        defmt::println!("{}", shown);
        let frame = critical_section::with(|section| *LAST.borrow_ref(section));
        assert!(frame.len >= 4, "a message has a number, and so has what it shows");
        frame
    }

    /// The number of the string with which a cell is shown, such as `OnceCell({})`. Before it are the number of the message,
    /// and a number that starts a sequence of strings.
    fn name(&self) -> &[u8] {
        &self.bytes[4..6]
    }

    /// Returns the arguments of that string.
    fn content(&self) -> &[u8] {
        &self.bytes[6..self.len]
    }

    fn has_value(&self) -> bool {
        let value = VALUE.to_le_bytes();
        self.bytes[..self.len]
            .windows(value.len())
            .any(|window| window == value)
    }
}

static LAST: Mutex<RefCell<Frame>> = Mutex::new(RefCell::new(Frame::EMPTY));

/// Keeps the last message, not encoded.
#[defmt::global_logger]
struct KeepLast;

// SAFETY: the program has one thread of execution, and no interrupt handler logs: no two messages are interleaved.
unsafe impl defmt::Logger for KeepLast {
    fn acquire() {}

    unsafe fn flush() {}

    unsafe fn release() {}

    unsafe fn write(bytes: &[u8]) {
        critical_section::with(|section| {
            let last = &mut *LAST.borrow_ref_mut(section);
            last.bytes[last.len..][..bytes.len()].copy_from_slice(bytes);
            last.len += bytes.len();
        });
    }
}
