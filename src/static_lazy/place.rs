//! Where the future of a static is: a static of its own beside it, which is zero when the program begins, and so takes no
//! room in what is stored of the program.

use core::{
    cell::UnsafeCell,
    fmt::Debug,
    mem::{self, MaybeUninit},
};

/// So many bytes, so aligned.
#[derive(Debug)]
#[repr(C)]
pub struct Place<const SIZE: usize, const ALIGN: usize>
where
    Align<ALIGN>: Alignment,
{
    align: [<Align<ALIGN> as Alignment>::Unit; 0],
    bytes: UnsafeCell<MaybeUninit<[u8; SIZE]>>,
}

// SAFETY: a shared reference gives access to an address alone.
unsafe impl<const SIZE: usize, const ALIGN: usize> Sync for Place<SIZE, ALIGN> where Align<ALIGN>: Alignment {}

impl<const SIZE: usize, const ALIGN: usize> Place<SIZE, ALIGN>
where
    Align<ALIGN>: Alignment,
{
    /// With nothing in it.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it is made in constants")]
    pub const fn new() -> Self {
        Self {
            align: [],
            bytes: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    pub(super) const fn address(&'static self) -> *mut u8 {
        self.bytes.get().cast()
    }
}

/// An alignment in bytes, as a type.
#[derive(Debug)]
pub struct Align<const ALIGN: usize>;

/// Implemented for the alignments that futures have: the powers of two up to 4096.
#[diagnostic::on_unimplemented(message = "futures of `lazy!` are aligned to 4096 bytes at most")]
pub trait Alignment {
    /// A type of no size with this alignment.
    type Unit: Copy + Debug;
}

macro_rules! alignments {
    ($($align:literal $unit:ident)*) => {$(
        #[derive(Debug, Clone, Copy)]
        #[repr(align($align))]
        pub struct $unit;

        impl Alignment for Align<$align> {
            type Unit = $unit;
        }
    )*};
}

alignments! {
    1 Align1
    2 Align2
    4 Align4
    8 Align8
    16 Align16
    32 Align32
    64 Align64
    128 Align128
    256 Align256
    512 Align512
    1024 Align1024
    2048 Align2048
    4096 Align4096
}

/// The size of the future that a closure makes.
#[must_use]
pub const fn size_of_future<F: FnOnce() -> Fut, Fut: Future>(init: F) -> usize {
    mem::forget(init);
    size_of::<Fut>()
}

/// The alignment of the future that a closure makes.
#[must_use]
pub const fn align_of_future<F: FnOnce() -> Fut, Fut: Future>(init: F) -> usize {
    mem::forget(init);
    align_of::<Fut>()
}

/// Implemented for `fn(&()) -> T`, where `T` is written as in the type of a static.
///
/// The type of a static leaves out `'static`, and the type that a function returns leaves out the lifetime of a
/// parameter. So lifetimes that `T` leaves out are the parameter's here, and `'static` in `Type`.
pub trait InStatic {
    /// `T`, with the lifetimes that it has in a static.
    type Type;
}

impl<F: FnOnce(&'static ()) -> T, T> InStatic for F {
    type Type = T;
}
