//! Code that is generic over the runtime, and the bounds of spawned initializers.

use std::{pin::Pin, sync::Arc};

use oncelot::{
    Backend, Intrusive, OnceCell,
    runtime::{ArcField, Initializer, OnceCellExt, Runtime, Smol},
};
use smol::block_on;

/// A cell in a field, and one in an `Arc`.
type Cells<T, B> = (OnceCell<T, B>, Arc<OnceCell<u32, B>>);

/// Checks that the futures are `Send` in generic code, for an `ArcField` and an `Arc`, and for a borrowed and an owned runtime.
fn sent<T, R, B>(
    runtime: R,
    cells: Arc<Cells<T, B>>,
    init: impl Initializer<Output = Result<T, String>>,
) -> Pin<Box<dyn Future<Output = Result<u32, String>> + Send>>
where
    T: Send + Sync + 'static,
    R: Runtime + 'static,
    B: Backend<Waiter: Send> + Send + Sync + 'static,
{
    Box::pin(async move {
        let field = ArcField::new(&cells, |cells| &cells.0);
        field.get_or_try_init_spawned(&runtime, init).await?;
        Ok(*cells.1.get_or_init_spawned_blocking(runtime, || 1).await)
    })
}

#[test]
fn the_future_of_code_for_every_runtime_value_and_backend_can_be_sent() {
    let cells: Arc<Cells<_, Intrusive>> = Arc::new((OnceCell::new(), Arc::default()));
    let init = async || Ok("value");
    assert_eq!(block_on(sent(Smol, cells.clone(), init)), Ok(1));
    assert_eq!(cells.0.get(), Some(&"value"));
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

/// The feature `smol` must not break programs that have their executor in an `Arc`.
#[test]
fn an_executor_in_an_arc_keeps_its_own_methods() {
    let executor = Arc::new(smol::Executor::new());
    let task: smol::Task<u32> = executor.spawn(async { 1 });
    assert_eq!(block_on(executor.run(task)), 1);
}

/// The error is sent to the caller and never shared, so that it need not be `Sync`.
#[test]
fn an_error_need_only_be_sent() {
    let cell = Arc::new(OnceCell::<u32>::new());
    let error = std::cell::Cell::new(1);
    let failed = block_on(cell.get_or_try_init_spawned(Smol, async move || Err(error)));
    assert_eq!(failed.unwrap_err().get(), 1);
}
