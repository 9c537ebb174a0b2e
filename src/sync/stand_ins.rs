//! Stand-ins for atomic types that the target lacks: of size zero, with the methods that the crate calls.

use core::marker::PhantomData;

use crate::sync::Ordering;

macro_rules! stand_in {
    ($($atomic:ident $(<$T:ident>)?: $value:ty;)*) => {$(
        #[derive(Debug)]
        #[allow(dead_code, reason = "not used where the target has the type")]
        pub(crate) struct $atomic $(<$T>)? (PhantomData<$value>);

        #[allow(dead_code, reason = "not used where the target has the type")]
        impl $(<$T>)? $atomic $(<$T>)? {
            pub(crate) const fn new(_value: $value) -> Self {
                Self(PhantomData)
            }

            pub(crate) fn load(&self, _order: Ordering) -> $value {
                unreachable!()
            }

            pub(crate) fn store(&self, _value: $value, _order: Ordering) {
                unreachable!()
            }

            pub(crate) fn swap(&self, _value: $value, _order: Ordering) -> $value {
                unreachable!()
            }

            pub(crate) fn compare_exchange(
                &self,
                _current: $value,
                _new: $value,
                _success: Ordering,
                _failure: Ordering,
            ) -> Result<$value, $value> {
                unreachable!()
            }
        }
    )*};
}

stand_in! {
    AtomicPtr<T>: *mut T;
    AtomicBool: bool;
    AtomicU8: u8;
}
