//! The owner's type has a lifetime, and the closure of an `ArcField` returns a cell that lives for just as long. The
//! owner's type is contravariant: an `ArcField` of it would be accepted for one of an owner that lives forever, whose
//! cell a spawned initializer may keep.

use std::{marker::PhantomData, sync::Arc};

use oncelot::{
    OnceCell,
    runtime::{ArcField, OnceCellExt, Runtime},
};

struct Owner<'b>(PhantomData<fn(&'b ())>);

/// Compiles since `&'x Owner<'b>` implies that `'b` outlives `'x`.
fn returns<'b>(cell: &'b OnceCell<u32>) -> impl for<'x> FnOnce(&'x Owner<'b>) -> &'x OnceCell<u32> {
    move |_| cell
}

fn spawn(field: ArcField<'_, Owner<'static>, u32>, runtime: impl Runtime) {
    drop(field.get_or_init_spawned(runtime, async || 1));
}

struct NoRuntime;

impl Runtime for NoRuntime {
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, _task: F) {}

    fn spawn_blocking<F: FnOnce() + Send + 'static>(&self, _work: F) {}
}

fn main() {
    static LIVES_FOREVER: OnceCell<u32> = OnceCell::new();
    let lives_shorter = OnceCell::<u32>::new();
    let owner = Arc::new(Owner(PhantomData));
    spawn(ArcField::new(&owner, returns(&LIVES_FOREVER)), NoRuntime);
    let owner = Arc::new(Owner(PhantomData));
    #[cfg(feature = "offending")]
    spawn(ArcField::new(&owner, returns(&lives_shorter)), NoRuntime);
    let _ = (owner, &lives_shorter);
}
