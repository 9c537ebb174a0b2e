//! Code that names no runtime.

use std::{pin::Pin, sync::Arc};

use oncelot::{
    Backend, Intrusive, OnceCell,
    runtime::{ArcField, Initializer, Runtime, SharedCell, Smol},
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

/// A cell in a field, and one in an `Arc`.
type Cells<B> = (OnceCell<u32, B>, Arc<OnceCell<u32, B>>);

/// What generic code awaits can be sent, wherever the cell is.
fn sent<R: Runtime, B: Backend<Waiter: Send> + Send + Sync + 'static>(
    cells: Arc<Cells<B>>,
    init: impl Initializer<Output = Result<u32, String>> + Clone + Sync,
) -> Pin<Box<dyn Future<Output = u32> + Send>> {
    async fn sum<R: Runtime, B: Backend<Waiter: Send> + Send + Sync + 'static>(
        cells: &Arc<Cells<B>>,
        init: impl Initializer<Output = Result<u32, String>> + Clone + Sync,
    ) -> Result<u32, String> {
        let field = ArcField::new(cells, |cells| &cells.0);
        let one = field.get_or_try_init_spawned::<R, _>(init.clone()).await?;
        let other = cells.1.get_or_init_unblock::<R>(|| 2).await;
        Ok(one + other)
    }

    Box::pin(async move { sum::<R, B>(&cells, init).await.unwrap_or(0) })
}

#[test]
fn can_be_sent_when_generic_code_awaits_it() {
    let cells = Arc::new((OnceCell::new(), Arc::default()));
    assert_eq!(Smol::block_on(sent::<Smol, Intrusive>(cells, async || Ok(1))), 3);
}

/// The value need not be shared by the initializer, and the error not be shared at all.
#[test]
fn an_error_need_only_be_sent() {
    let cell = Arc::new(OnceCell::<u32>::new());
    let error = std::cell::Cell::new(1);
    let failed = Smol::block_on(cell.get_or_try_init_spawned::<Smol, _>(async move || Err(error)));
    assert_eq!(failed.unwrap_err().get(), 1);
}
