//! Code that names no runtime.

use std::sync::Arc;

use oncelot::{
    Backend, OnceCell,
    runtime::{Initializer, Runtime, SharedCell, Smol},
};

/// Generic over all there is; and the future can be sent.
fn fetched<R, T, B>(
    cell: &Arc<OnceCell<T, B>>,
    init: impl Initializer<Output = Result<T, String>>,
) -> impl Future<Output = Result<&T, String>> + Send
where
    R: Runtime,
    T: Send + Sync + 'static,
    B: Backend<Waiter: Send> + Send + Sync + 'static,
{
    cell.get_or_try_init_spawned::<R, _>(init)
}

#[test]
fn is_written_once_for_every_runtime_value_and_backend() {
    let cell = Arc::new(OnceCell::new());
    assert_eq!(
        Smol::block_on(fetched::<Smol, _, _>(&cell, async || Ok(1))),
        Ok(&1)
    );
}

/// The value need not be shared by the initializer, and the error not be shared at all.
#[test]
fn an_error_need_only_be_sent() {
    let cell = Arc::new(OnceCell::<u32>::new());
    let error = std::cell::Cell::new(1);
    let failed = Smol::block_on(cell.get_or_try_init_spawned::<Smol, _>(async move || Err(error)));
    assert_eq!(failed.unwrap_err().get(), 1);
}
