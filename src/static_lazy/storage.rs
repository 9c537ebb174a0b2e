//! Storage for the future of a `lazy!` static. It is a separate static so that it is zero-initialized and ends up in `.bss`.

use core::{
    cell::UnsafeCell,
    fmt::Debug,
    mem::{self, MaybeUninit},
};

/// `SIZE` bytes aligned to `ALIGN`.
#[derive(Debug)]
#[repr(C)]
pub struct FutureStorage<const SIZE: usize, const ALIGN: usize>
where
    Align<ALIGN>: Alignment,
{
    align: [<Align<ALIGN> as Alignment>::Unit; 0],
    bytes: UnsafeCell<MaybeUninit<[u8; SIZE]>>,
}

// SAFETY: a shared reference gives access to the address only.
unsafe impl<const SIZE: usize, const ALIGN: usize> Sync for FutureStorage<SIZE, ALIGN> where
    Align<ALIGN>: Alignment
{
}

impl<const SIZE: usize, const ALIGN: usize> FutureStorage<SIZE, ALIGN>
where
    Align<ALIGN>: Alignment,
{
    /// Creates a storage without a future.
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
#[diagnostic::on_unimplemented(
    message = "`lazy!` does not support futures aligned to more than 4096 bytes: box the future"
)]
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

/// Returns the size of the future that a closure returns.
#[must_use]
pub const fn size_of_future<F: FnOnce() -> Fut, Fut: Future>(init: F) -> usize {
    mem::forget(init);
    size_of::<Fut>()
}

/// Returns the alignment of the future that a closure returns.
#[must_use]
pub const fn align_of_future<F: FnOnce() -> Fut, Fut: Future>(init: F) -> usize {
    mem::forget(init);
    align_of::<Fut>()
}

/// Resolves a type as the type of a static, in which an elided lifetime is `'static`.
///
/// A function can elide a lifetime in its return type only if that is the lifetime of a parameter. So the macro
/// writes the type `T` of a static as `fn(&()) -> T`, whose parameter this trait makes `&'static ()`.
pub trait InStatic {
    /// The type of the static.
    type Type;
}

impl<F: FnOnce(&'static ()) -> T, T> InStatic for F {
    type Type = T;
}

/// Marks the types that `lazy!` turns into the future of a static: the future is `Send`, and its output is `T`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a future, and `lazy!` needs one to compute the value of a static",
    label = "not a future",
    note = "write `async {{ expression }}` around an expression that is not a future"
)]
pub trait StaticFuture<T>: IntoFuture<Output = T, IntoFuture: Send> {}

impl<T, F: IntoFuture<Output = T, IntoFuture: Send>> StaticFuture<T> for F {}
