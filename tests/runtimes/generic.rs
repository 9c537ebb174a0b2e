//! Runtime-agnostic code.

use std::{pin::Pin, sync::Arc};

use oncelot::{
    Backend, Intrusive, OnceCell,
    runtime::{ArcField, Initializer, OnceCellExt, Runtime, Smol},
};
use smol::block_on;

/// Generic over all there is; and the future can be sent.
fn fetched<T, B>(
    runtime: impl Runtime,
    cell: &Arc<OnceCell<T, B>>,
    init: impl Initializer<Output = Result<T, String>>,
) -> impl Future<Output = Result<&T, String>> + Send
where
    T: Send + Sync + 'static,
    B: Backend<Waiter: Send> + Send + Sync + 'static,
{
    cell.get_or_try_init_spawned(runtime, init)
}

#[test]
fn is_written_once_for_every_runtime_value_and_backend() {
    let cell = Arc::new(OnceCell::new());
    assert_eq!(block_on(fetched(Smol, &cell, async || Ok(1))), Ok(&1));
}

/// A cell in a field, and one in an `Arc`.
type Cells<B> = (OnceCell<u32, B>, Arc<OnceCell<u32, B>>);

/// Checks that the futures are `Send` in generic code, for every handle of the cell and a borrowed or owned runtime.
fn sent<R: Runtime + 'static, B: Backend<Waiter: Send> + Send + Sync + 'static>(
    runtime: R,
    cells: Arc<Cells<B>>,
    init: impl Initializer<Output = Result<u32, String>> + Clone + Sync,
) -> Pin<Box<dyn Future<Output = u32> + Send>> {
    async fn sum<R: Runtime, B: Backend<Waiter: Send> + Send + Sync + 'static>(
        runtime: R,
        cells: &Arc<Cells<B>>,
        init: impl Initializer<Output = Result<u32, String>> + Clone + Sync,
    ) -> Result<u32, String> {
        let field = ArcField::new(cells, |cells| &cells.0);
        let one = field.get_or_try_init_spawned(&runtime, init.clone()).await?;
        let other = cells.1.get_or_init_spawned_blocking(runtime, || 2).await;
        Ok(one + other)
    }

    Box::pin(async move { sum(runtime, &cells, init).await.unwrap_or(0) })
}

#[test]
fn can_be_sent_when_generic_code_awaits_it() {
    let cells = Arc::new((OnceCell::new(), Arc::default()));
    assert_eq!(block_on(sent::<_, Intrusive>(Smol, cells, async || Ok(1))), 3);
}

/// A library's type that keeps the runtime it was given, and lends it to each call.
struct Client<R> {
    runtime: R,
    token: Arc<OnceCell<u32>>,
}

impl<R: Runtime> Client<R> {
    async fn token(&self) -> &u32 {
        self.token.get_or_init_spawned(&self.runtime, async || 1).await
    }
}

#[test]
fn a_runtime_in_a_field_is_lent_to_a_future_that_can_be_sent() {
    fn boxed<'a, R: Runtime>(client: &'a Client<R>) -> Pin<Box<dyn Future<Output = &'a u32> + Send + 'a>> {
        Box::pin(client.token())
    }

    let client = Client {
        runtime: Smol,
        token: Arc::default(),
    };
    assert_eq!(block_on(boxed(&client)), &1);
}

/// Or the feature `smol` would break programs that have their executor in an `Arc`.
#[test]
fn an_executor_in_an_arc_keeps_its_own_methods() {
    let executor = Arc::new(smol::Executor::new());
    let task: smol::Task<u32> = executor.spawn(async { 1 });
    assert_eq!(block_on(executor.run(task)), 1);
}

/// The value need not be shared by the initializer, and the error not be shared at all.
#[test]
fn an_error_need_only_be_sent() {
    let cell = Arc::new(OnceCell::<u32>::new());
    let error = std::cell::Cell::new(1);
    let failed = block_on(cell.get_or_try_init_spawned(Smol, async move || Err(error)));
    assert_eq!(failed.unwrap_err().get(), 1);
}
