//! References and futures that would dangle, broken invariants, and wakers that would be shared.

use std::{
    cell::Cell,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
};

use oncelot::{
    BoxLazy, Lazy, LocalBoxLazy, OnceCell,
    backend::Local,
    runtime::{ArcField, OnceCellExt, Runtime},
};

pub fn a_destructor_reads_a_dangling_reference() {
    struct Reads<'a>(&'a str);

    impl Drop for Reads<'_> {
        fn drop(&mut self) {
            println!("{}", self.0);
        }
    }

    let lives_longer = String::from("longer");
    let cell = OnceCell::new();
    let lives_shorter = String::from("shorter");
    let _ = cell.set(Reads(&lives_longer));
    #[cfg(feature = "drop_check")] // E0597
    let _ = cell.set(Reads(&lives_shorter)); // here
    drop(lives_shorter.clone());
}

pub fn a_reference_into_the_cell_outlives_its_value() {
    let mut cell = OnceCell::from(String::from("value"));
    let value = cell.get().unwrap();
    println!("{value}");
    cell.get_mut().unwrap().push('!');
    #[cfg(feature = "reference_outlives_get_mut")] // E0502
    println!("{value}"); // here

    let value = cell.get().unwrap();
    println!("{value}");
    cell.take();
    #[cfg(feature = "reference_outlives_take")] // E0502
    println!("{value}"); // here

    let value = cell.try_insert(String::from("value")).unwrap();
    println!("{value}");
    let inner = cell.into_inner();
    #[cfg(feature = "reference_outlives_into_inner")] // E0505
    println!("{value}"); // here
    drop(inner);
}

pub fn a_reference_into_the_cell_outlives_the_cell() {
    let mut kept = "another";
    println!("{kept}");
    {
        let cell = OnceCell::from(String::from("value"));
        let value = cell.get().unwrap();
        println!("{value}");
        #[cfg(feature = "reference_outlives_the_cell")] // E0597
        kept.clone_from(&value.as_str());
        kept = kept.trim();
    }
    println!("{kept}"); // here
}

pub fn a_waiting_future_outlives_the_cell() {
    let cell = OnceCell::<u32>::new();
    let wait = Box::pin(cell.wait());
    #[cfg(feature = "future_outlives_the_cell")] // E0505
    drop(cell); // here
    drop(wait);
}

/// `take` recovers the claim of the guard.
pub fn a_guard_outlives_take() {
    let mut cell = OnceCell::<u32>::new();
    let guard = cell.try_claim();
    #[cfg(feature = "guard_outlives_take")] // E0502
    cell.take(); // here
    drop(guard);
    cell.take();
}

/// A cell is invariant in its value: otherwise a value could be stored through a shared reference that does not live
/// as long as the cell's type says.
pub fn a_value_is_set_through_a_shorter_lifetime() {
    fn set_shorter<'a>(cell: &OnceCell<&'a str>, value: &'a str) {
        let _ = cell.set(value);
    }

    let cell = OnceCell::<&'static str>::new();
    set_shorter(&cell, "static");
    let lives_shorter = String::from("shorter");
    #[cfg(feature = "set_through_a_shorter_lifetime")] // E0597
    set_shorter(&cell, &lives_shorter); // here
    drop(lives_shorter.clone());
}

pub fn the_closure_of_a_field_captures_a_cell_of_its_function() {
    static LIVES_FOREVER: OnceCell<u32> = OnceCell::new();
    let lives_shorter = OnceCell::<u32>::new();
    let owner = Arc::new(());
    let captured = &LIVES_FOREVER;
    let _ = ArcField::new(&owner, move |_| captured);
    #[cfg(feature = "field_of_a_captured_cell")] // E0597
    let captured = &lives_shorter; // here
    let _ = ArcField::new(&owner, move |_| captured);
    drop(lives_shorter.clone());
}

/// The owner's type has a lifetime, and the closure returns a cell that lives for just as long. The owner's type is
/// contravariant: an `ArcField` of it would be accepted for one of an owner that lives forever, whose cell a spawned
/// initializer may keep.
pub fn the_closure_of_a_field_returns_a_cell_of_a_lifetime_of_its_owner(runtime: impl Runtime) {
    struct Owner<'b>(PhantomData<fn(&'b ())>);

    /// Compiles since `&'x Owner<'b>` implies that `'b` outlives `'x`.
    fn returns<'b>(cell: &'b OnceCell<u32>) -> impl for<'x> FnOnce(&'x Owner<'b>) -> &'x OnceCell<u32> {
        move |_| cell
    }

    fn spawn(field: ArcField<'_, Owner<'static>, u32>, runtime: &impl Runtime) {
        drop(field.get_or_init_spawned(runtime, async || 1));
    }

    static LIVES_FOREVER: OnceCell<u32> = OnceCell::new();
    let lives_shorter = OnceCell::<u32>::new();
    let owner = Arc::new(Owner(PhantomData));
    spawn(ArcField::new(&owner, returns(&LIVES_FOREVER)), &runtime);
    let owner = Arc::new(Owner(PhantomData));
    #[cfg(feature = "field_of_an_owner_with_a_lifetime")] // E0597
    spawn(ArcField::new(&owner, returns(&lives_shorter)), &runtime); // here
    let _ = (owner, &lives_shorter);
}

pub fn a_field_outlives_its_owner() {
    let owner = Arc::new(OnceCell::<u32>::new());
    let field = ArcField::new(&owner, |cell| cell);
    let _ = field;
    drop(owner);
    #[cfg(feature = "field_that_outlives_its_owner")] // E0505
    let _ = field.clone(); // here
}

pub fn a_boxed_lazy_outlives_what_it_borrows() {
    let text = String::from("text");
    let lazy = BoxLazy::boxed(async { text.len() });
    #[cfg(feature = "box_lazy_outlives_what_it_borrows")] // E0505
    drop(text); // here
    drop(lazy);
}

/// Any thread may wake the future of a boxed lazy.
pub fn a_boxed_lazy_has_a_backend_for_one_thread() {
    drop(LocalBoxLazy::boxed_local(async { 1 }));
    #[cfg(feature = "box_lazy_on_a_local_backend")] // E0599
    drop(LocalBoxLazy::<u32, Local>::with_backend(Box::pin(async { 1 }))); // here
}

/// The future of a lazy shares a `Cell`, and the panic is caught.
pub fn a_lazy_exposes_a_broken_invariant() {
    // Both are equal, except while the future changes them.
    let numbers = Cell::new((0_u32, 0_u32));
    let lazy = pin!(Lazy::new(async {
        numbers.set((1, 0));
        let next = numbers.get().0.checked_sub(2).expect("not negative");
        numbers.set((next, next));
    }));
    let lazy = lazy.into_ref();
    let poll = move || {
        let get = pin!(lazy.get());
        get.poll(&mut Context::from_waker(Waker::noop())).is_pending()
    };
    #[cfg(feature = "lazy_whose_future_shares_a_cell")] // E0277
    let _ = catch_unwind(poll); // here
    let _ = catch_unwind(AssertUnwindSafe(poll));
}
