//! The reports of the feature `deadlock-detection`: the types of the values, and where each initializer started.

mod util;

use std::{
    any::type_name,
    future::{Ready, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    thread,
};

use futures_lite::future::block_on;
use oncelot::{
    BoxLazy, Lazy, LocalBoxLazy, OnceCell,
    backend::Intrusive,
    compat::{
        async_lock, async_once_cell,
        asyncband::{self, LazyCell},
        embassy_sync,
    },
    lazy,
    runtime::{ArcField, OnceCellExt, Runtime},
};
use util::{BoxFuture, panic_of, static_cell};

const DEADLOCK: &str = "deadlock: an initializer awaits its own cell; compute the value without the cell, or move the wait \
                        out of the initializer; ";

/// Evaluates an expression that ends in a deadlock, and checks the report: `$value` is the type of the cell's value. The
/// expression is in one line, which is the line of the macro's call.
macro_rules! assert_reported {
    ($value:literal, $call:expr) => {
        assert_message($value, line!(), panic_of(|| $call))
    };
}

#[track_caller]
fn assert_message(value: &str, line: u32, message: String) {
    let begin = format!(
        "{DEADLOCK}the initializer of `{value}` (began at {}:{line}:",
        file!()
    );
    assert!(message.starts_with(&begin), "{message}\ninstead of\n{begin}");
    assert!(message.ends_with(") waits for itself"), "{message}");
}

/// Each task has a thread of its own.
struct Threads;

impl Runtime for Threads {
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        thread::spawn(|| block_on(task));
    }

    fn spawn_blocking<F: FnOnce() + Send + 'static>(&self, work: F) {
        thread::spawn(work);
    }
}

#[test]
fn a_call_with_an_initializer_is_named() {
    let cell = static_cell();
    let init = || async { *cell.wait().await };
    let fails = || async { Ok::<_, ()>(*cell.wait().await) };
    let wait = || *cell.wait_blocking();
    let fail = || Ok::<_, ()>(*cell.wait_blocking());
    #[rustfmt::skip]
    {
        assert_reported!("u32", block_on(cell.get_or_init(init)));
        assert_reported!("u32", block_on(cell.get_or_try_init(fails)));
        assert_reported!("u32", block_on(cell.get_or_try_init_shared(fails)));
        assert_reported!("u32", cell.try_get_or_init(wait));
        assert_reported!("u32", cell.get_or_init_blocking(wait));
        assert_reported!("u32", cell.get_or_try_init_blocking(fail));
        assert_reported!("u32", block_on(cell.get_or_init_spawned(Threads, init)));
        assert_reported!("u32", block_on(cell.get_or_try_init_spawned(Threads, fails)));
        assert_reported!("u32", block_on(cell.get_or_try_init_shared_spawned(Threads, fails)));
        assert_reported!("u32", block_on(cell.get_or_init_spawned_blocking(Threads, wait)));
        assert_reported!("u32", block_on(cell.get_or_try_init_spawned_blocking(Threads, fail)));
    };
    let cell = OnceCell::<Option<char>>::new();
    let init = async || *cell.wait().await;
    assert_reported!("core::option::Option<char>", block_on(cell.get_or_init(init)));
}

#[test]
fn a_call_by_another_handle_is_named() {
    let owner = Arc::new((Arc::new(OnceCell::<u32>::new()), OnceCell::<u32>::new()));
    let [of_cell, of_field] = [(); 2].map(|()| Arc::clone(&owner));
    let init = || async move { *of_cell.0.wait().await };
    assert_reported!("u32", block_on((&owner.0).get_or_init_spawned(Threads, init)));
    let init = || async move { *of_field.1.wait().await };
    let field = ArcField::new(&owner, |owner| &owner.1);
    assert_reported!("u32", block_on(field.get_or_init_spawned(Threads, init)));
}

#[test]
fn a_call_of_a_cell_for_another_crate_is_named() {
    let cell = async_lock::OnceCell::<u32>::new();
    let fails = async || Ok::<_, ()>(*cell.wait().await);
    let wait = || *cell.wait_blocking();
    assert_reported!("u32", block_on(cell.get_or_init(async || *cell.wait().await)));
    assert_reported!("u32", block_on(cell.get_or_try_init(fails)));
    assert_reported!("u32", cell.get_or_init_blocking(wait));
    assert_reported!("u32", cell.get_or_try_init_blocking(|| Ok::<_, ()>(wait())));

    let cell = async_once_cell::OnceCell::<u32>::new();
    let fails = async { Ok::<_, ()>(*cell.wait().await) };
    assert_reported!("u32", block_on(cell.get_or_init(async { *cell.wait().await })));
    assert_reported!("u32", block_on(cell.get_or_try_init(fails)));

    let cell = asyncband::OnceCell::<u32>::new();
    let fails = async || Ok::<_, ()>(*cell.wait().await);
    assert_reported!("u32", block_on(cell.get_or_init(async || *cell.wait().await)));
    assert_reported!("u32", block_on(cell.get_or_try_init(fails)));

    let cell = embassy_sync::OnceLock::<u32>::new();
    assert_reported!("u32", cell.get_or_init(|| *cell.wait_blocking()));
}

/// A future that awaits the lazy that it is the future of.
struct Own(fn(&mut Context<'_>) -> Poll<u32>);

impl Future for Own {
    type Output = u32;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u32> {
        self.0(cx)
    }
}

/// Calls `$new`, which creates a `$lazy` of a future that awaits the lazy by `$get`, and checks the report.
macro_rules! assert_constructor_reported {
    ($lazy:ty, $get:path, $new:expr) => {{
        thread_local! {
            static LAZY: OnceCell<$lazy> = const { OnceCell::new() };
        }
        let get_own = |cx: &mut Context<'_>| {
            LAZY.with(|lazy| pin!($get(lazy.get().unwrap())).poll(cx).map(|value| *value))
        };
        // The expression is in one line, which is the line of the macro's call.
        let (line, lazy) = (line!(), $new(Own(get_own)));
        LAZY.with(|cell| assert!(cell.set(lazy).is_ok()));
        assert_message("u32", line, panic_of(|| block_on(poll_fn(get_own))));
    }};
}

#[test]
fn the_constructor_of_a_lazy_is_named() {
    static LAZY: Lazy<u32, Own> = Lazy::new(Own(|cx| pin!(LAZY.get_unpin()).poll(cx).map(|value| *value)));
    assert_message("u32", line!() - 1, panic_of(|| block_on(LAZY.get_unpin())));

    type Boxed = BoxLazy<'static, u32>;
    type Local = LocalBoxLazy<'static, u32>;
    type ForAsyncOnceCell = async_once_cell::Lazy<u32, Own>;
    type Init = Box<dyn FnOnce() -> Own>;

    #[rustfmt::skip]
    {
        assert_constructor_reported!(Lazy<u32, Own>, Lazy::get_unpin, Lazy::<u32, Own, Intrusive>::with_backend);
        assert_constructor_reported!(Boxed, Boxed::get_unpin, BoxLazy::boxed);
        assert_constructor_reported!(Boxed, Boxed::get_unpin, |own| BoxLazy::new(Box::pin(own)));
        assert_constructor_reported!(Boxed, Boxed::get_unpin, |own| Boxed::with_backend(Box::pin(own)));
        assert_constructor_reported!(Local, Local::get_unpin, LocalBoxLazy::boxed_local);
        assert_constructor_reported!(Local, Local::get_unpin, |own| LocalBoxLazy::new(Box::pin(own)));
        assert_constructor_reported!(Local, Local::get_unpin, |own| Local::with_backend(Box::pin(own)));
        assert_constructor_reported!(ForAsyncOnceCell, ForAsyncOnceCell::get_unpin, ForAsyncOnceCell::new);
        assert_constructor_reported!(ForAsyncOnceCell, ForAsyncOnceCell::get_unpin, ForAsyncOnceCell::from_future);
        assert_constructor_reported!(LazyCell<u32, Own>, LazyCell::force, LazyCell::from_future);
        assert_constructor_reported!(LazyCell<u32, Own, Init>, LazyCell::force, |own| LazyCell::new(Box::new(|| own) as Init));
    };
}

#[test]
fn the_default_of_a_lazy_for_asyncband_is_named() {
    /// A value whose default awaits the lazy that computes it.
    struct Value;

    impl Default for Value {
        fn default() -> Self {
            assert!(force().is_pending());
            Self
        }
    }

    thread_local! {
        static LAZY: OnceCell<LazyCell<Value, Ready<Value>>> = const { OnceCell::new() };
        static WAKER: Waker = util::Task::new().waker();
    }
    fn force() -> Poll<()> {
        let poll = |waker: &Waker| {
            LAZY.with(|lazy| {
                pin!(LazyCell::force(lazy.get().unwrap()))
                    .poll(&mut Context::from_waker(waker))
                    .map(|_| ())
            })
        };
        WAKER.with(poll)
    }
    let (line, lazy) = (line!(), LazyCell::default());
    LAZY.with(|cell| assert!(cell.set(lazy).is_ok()));
    assert_message(type_name::<Value>(), line, panic_of(force));
}

#[test]
fn the_macro_that_declares_a_static_is_named() {
    let line = line!() + 1;
    lazy! { static LAZY: u32 = async { itself().await }; }
    fn itself() -> BoxFuture<'static, u32> {
        Box::pin(async { *LAZY.get().await })
    }
    assert_message("u32", line, panic_of(|| block_on(LAZY.get())));
}

#[test]
fn every_initializer_between_is_named() {
    static OUTER: OnceCell<u64> = OnceCell::new();
    static MIDDLE: OnceCell<String> = OnceCell::new();
    static INNER: OnceCell<char> = OnceCell::new();

    let line = line!() + 1;
    let cell = static_cell();
    async fn outer() -> u64 {
        MIDDLE.get_or_init(middle).await.len() as u64
    }
    async fn middle() -> String {
        INNER.get_or_init(inner).await.to_string()
    }
    async fn inner() -> char {
        char::from_digit(*OUTER.wait().await as u32, 10).unwrap()
    }
    // The cell of the outermost initializer is not awaited.
    let init = async || *OUTER.get_or_init(outer).await as u32;
    let message = panic_of(|| block_on(cell.get_or_init(init)));
    let at = |lines: u32, column: u32| format!("(began at {}:{}:{column})", file!(), line + lines);
    assert_eq!(
        message,
        format!(
            "{DEADLOCK}the initializer of `u64` {} runs the initializer of `alloc::string::String` {}, which runs the \
             initializer of `char` {}, which waits for the first one",
            at(11, 32),
            at(2, 16),
            at(5, 15),
        )
    );
}

/// The branches of a deadlock that is not reported, for the reason in the documentation.
#[test]
fn a_cycle_between_two_branches_is_not_reported() {
    let [a, b] = [const { OnceCell::<u32>::new() }; 2];
    let mut joined = Box::pin(futures_lite::future::zip(
        a.get_or_init(async || *b.wait().await),
        b.get_or_init(async || *a.wait().await),
    ));
    let waker = util::Task::new().waker();
    assert!(util::poll_with(&mut joined, &waker).is_pending());
    assert!(util::poll_with(&mut joined, &waker).is_pending());
}
