//! Tests of every function and impl of the public interface, as users write them.

#[path = "../examples/custom_backend/locked.rs"]
mod outsider;
mod util;

use std::{collections::hash_map::RandomState, future::ready, task::Poll};

use futures_lite::future::{block_on, yield_now};
#[cfg(feature = "atomic-waker")]
use oncelot::backend::AtomicWaker;
#[cfg(feature = "event-listener")]
use oncelot::backend::EventListener;
use oncelot::{
    InitGuard, InitializingError, Lazy, LocalOnceCell, OnceCell, SetError, SharedInitError, State,
    backend::{Backend, Intrusive, Local, WaiterKind},
};
use outsider::Locked;
use util::{is_same, now, poll, start};

// Making.

#[test]
fn new_makes_an_empty_cell() {
    assert_eq!(OnceCell::<u32>::new().get(), None);
}

#[test]
fn const_new_makes_an_empty_cell() {
    static EMPTY: OnceCell<u32> = OnceCell::const_new();
    assert_eq!(EMPTY.get(), None);
}

#[test]
fn new_with_takes_an_option() {
    assert_eq!(OnceCell::new_with(Some(1)).get(), Some(&1));
    assert_eq!(OnceCell::<u32>::new_with(None).get(), None);
}

#[test]
fn const_new_with_makes_a_ready_cell() {
    static READY: OnceCell<&str> = OnceCell::const_new_with("ready");
    assert_eq!(READY.get(), Some(&"ready"));
}

#[test]
fn with_backend_makes_an_empty_cell_of_that_backend() {
    static CELL: OnceCell<u32, Intrusive> = OnceCell::with_backend();
    assert!(!CELL.initialized());
}

#[test]
fn with_backend_and_value_makes_a_ready_cell_of_that_backend() {
    static CELL: OnceCell<u32, Intrusive> = OnceCell::with_backend_and_value(1);
    assert_eq!(CELL.get(), Some(&1));
}

#[test]
fn default_is_empty_and_needs_no_default_value() {
    struct NoDefault;
    assert!(!OnceCell::<NoDefault>::default().initialized());
}

#[test]
fn const_new_can_be_called_at_run_time() {
    assert!(!OnceCell::<u32>::const_new().initialized());
}

#[test]
fn from_a_value_is_ready() {
    assert_eq!(OnceCell::from(1).get(), Some(&1));
}

// Looking.

#[test]
fn initialized_returns_whether_there_is_a_value() {
    let cell = OnceCell::new();
    assert!(!cell.initialized());
    let (gate, mut running) = start(&cell);
    assert!(!cell.initialized(), "while initializing");
    gate.open(Ok(1));
    assert!(poll(&mut running).is_ready());
    assert!(cell.initialized());
}

#[test]
fn get_does_not_wait() {
    let cell = OnceCell::new();
    assert_eq!(cell.get(), None);
    let (gate, mut running) = start(&cell);
    assert_eq!(cell.get(), None, "while initializing");
    gate.open(Ok(1));
    assert!(poll(&mut running).is_ready());
    assert_eq!(cell.get(), Some(&1));
}

#[test]
fn state_follows_the_initializer() {
    let cell = OnceCell::new();
    assert_eq!(cell.state(), State::Uninit);
    let (gate, mut running) = start(&cell);
    assert_eq!(cell.state(), State::Initializing);
    gate.open(Err("failed"));
    assert!(poll(&mut running).is_ready());
    assert_eq!(cell.state(), State::Uninit);
    assert_eq!(cell.set(1), Ok(()));
    assert_eq!(cell.state(), State::Ready);
}

#[test]
fn get_mut_changes_the_value() {
    let mut cell = OnceCell::new();
    assert_eq!(cell.get_mut(), None);
    assert_eq!(cell.set(1), Ok(()));
    *cell.get_mut().unwrap() = 2;
    assert_eq!(cell.get(), Some(&2));
}

#[test]
fn get_unchecked_gives_the_value() {
    let cell = OnceCell::from(1);
    // SAFETY: the cell was made with a value.
    assert_eq!(unsafe { cell.get_unchecked() }, &1);
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "`OnceCell::get_unchecked` was called on an empty cell")]
fn get_unchecked_of_an_empty_cell_panics_in_debug_builds() {
    let cell = OnceCell::<u32>::new();
    // SAFETY: broken on purpose: debug builds panic before anything is read.
    let _ = unsafe { cell.get_unchecked() };
}

// Filling.

#[test]
fn set_fills_an_empty_cell() {
    let cell = OnceCell::new();
    assert_eq!(cell.set(1), Ok(()));
    assert_eq!(cell.get(), Some(&1));
}

#[test]
fn try_insert_gives_the_value_in_its_place() {
    let cell = OnceCell::new();
    let value = cell.try_insert(1).unwrap();
    assert!(is_same(value, cell.get().unwrap()));
}

#[test]
fn insert_fills_an_empty_cell() {
    let cell = OnceCell::new();
    let value = block_on(cell.insert(1)).unwrap();
    assert!(is_same(value, cell.get().unwrap()));
}

#[test]
fn try_get_or_init_fills_an_empty_cell_without_a_task() {
    static CELL: OnceCell<u32> = OnceCell::new();
    let value: Result<&'static u32, InitializingError> = CELL.try_get_or_init(|| 1);
    assert_eq!(value, Ok(&1));
}

// Filling by a future.

async fn one() -> u32 {
    1
}

async fn try_one() -> Result<u32, String> {
    Ok(1)
}

#[test]
fn get_or_init_takes_an_async_fn() {
    assert_eq!(block_on(OnceCell::new().get_or_init(one)), &1);
}

#[test]
fn get_or_init_takes_a_closure_that_returns_a_future() {
    assert_eq!(block_on(OnceCell::new().get_or_init(|| async { 1 })), &1);
    assert_eq!(block_on(OnceCell::new().get_or_init(|| ready(1))), &1);
}

#[test]
fn get_or_init_takes_an_async_closure() {
    let owned = String::from("owned");
    assert_eq!(block_on(OnceCell::new().get_or_init(async || 1)), &1);
    assert_eq!(
        block_on(OnceCell::new().get_or_init(async move || owned)),
        "owned"
    );
}

#[test]
fn get_or_init_takes_an_initializer_that_borrows() {
    let text = String::from("borrowed");
    let cell = OnceCell::new();
    assert_eq!(block_on(cell.get_or_init(async || text.as_str())), &"borrowed");
}

#[test]
fn get_or_init_takes_a_boxed_future() {
    let cell = OnceCell::new();
    let init = || -> util::BoxFuture<'_, u32> { Box::pin(one()) };
    assert_eq!(block_on(cell.get_or_init(init)), &1);
}

#[test]
fn get_or_try_init_takes_an_async_fn() {
    assert_eq!(block_on(OnceCell::new().get_or_try_init(try_one)), Ok(&1));
}

#[test]
fn get_or_try_init_takes_an_async_closure_with_a_question_mark() {
    let parse = async |text: &str| -> Result<u32, std::num::ParseIntError> {
        let cell = OnceCell::new();
        let value = cell
            .get_or_try_init(async || Ok(text.parse::<u32>()? + 1))
            .await?;
        Ok(*value)
    };
    assert_eq!(block_on(parse("1")), Ok(2));
    assert!(block_on(parse("one")).is_err());
}

#[test]
fn get_or_try_init_works_with_a_static() {
    static CELL: OnceCell<u32> = OnceCell::new();
    let value: Result<&'static u32, String> = block_on(CELL.get_or_try_init(try_one));
    assert_eq!(value, Ok(&1));
    assert!(is_same(block_on(CELL.get_or_init(one)), value.unwrap()));
}

#[test]
fn an_error_may_differ_from_call_to_call() {
    let cell = OnceCell::<u32>::new();
    assert_eq!(block_on(cell.get_or_try_init(async || Err(1_u8))), Err(1));
    assert_eq!(block_on(cell.get_or_try_init(async || Err("text"))), Err("text"));
}

#[test]
fn get_mut_or_init_initializes_and_lends_for_changing() {
    let mut cell = OnceCell::new();
    *block_on(cell.get_mut_or_init(one)) += 1;
    assert_eq!(block_on(cell.get_mut_or_init(async || unreachable!())), &mut 2);
}

#[test]
fn get_mut_or_init_waits_for_its_initializer() {
    let mut cell = OnceCell::new();
    let gate = util::Gate::new();
    let mut running = Box::pin(cell.get_mut_or_init(|| gate.clone()));
    assert!(poll(&mut running).is_pending());
    gate.open(1);
    assert_eq!(poll(&mut running), Poll::Ready(&mut 1));
}

#[test]
fn get_mut_or_init_calls_its_closure_at_the_first_poll() {
    let mut cell = OnceCell::<u32>::new();
    drop(cell.get_mut_or_init(|| -> std::future::Pending<u32> { panic!("never polled") }));
    assert_eq!(cell.get(), None);
}

#[test]
fn get_mut_or_try_init_leaves_the_cell_empty_on_an_error() {
    let mut cell = OnceCell::new();
    assert_eq!(
        block_on(cell.get_mut_or_try_init(async || Err("failed"))),
        Err("failed")
    );
    assert_eq!(cell.get(), None);
    *block_on(cell.get_mut_or_try_init(try_one)).unwrap() += 1;
    assert_eq!(cell.get(), Some(&2));
}

#[test]
fn get_mut_or_init_leaves_the_cell_empty_on_a_panic() {
    let mut cell = OnceCell::new();
    util::panic_of(|| now(cell.get_mut_or_init(|| util::Panicking("in the poll"))));
    assert_eq!(cell.get(), None);
    assert_eq!(cell.set(1), Ok(()));
}

#[test]
fn get_or_try_init_shared_takes_an_async_fn() {
    let cell = OnceCell::new();
    assert_eq!(block_on(cell.get_or_try_init_shared(try_one)), Ok(&1));
}

#[test]
fn get_or_try_init_shared_works_with_a_static_and_the_question_mark() {
    static CELL: OnceCell<u32> = OnceCell::new();

    async fn get() -> Result<u32, SharedInitError<String>> {
        Ok(*CELL.get_or_try_init_shared(try_one).await? + 1)
    }

    assert_eq!(block_on(get()), Ok(2));
}

// A guard.

#[test]
fn a_guard_can_be_kept_in_a_struct_and_completed_later() {
    struct Request<'a> {
        guard: InitGuard<'a, String>,
    }

    impl<'a> Request<'a> {
        fn answer(self, text: &str) -> &'a String {
            self.guard.set(text.to_owned())
        }
    }

    let cell = OnceCell::new();
    let request = cell.try_claim().map(|guard| Request { guard }).unwrap();
    assert_eq!(request.answer("text"), "text");
    assert_eq!(cell.get().unwrap(), "text");
}

#[test]
fn get_or_claim_leaves_the_initialization_to_its_caller() {
    async fn get(cell: &OnceCell<u32>) -> Result<&u32, String> {
        match cell.get_or_claim().await {
            Ok(value) => Ok(value),
            Err(guard) => Ok(guard.set(try_one().await?)),
        }
    }

    let cell = OnceCell::new();
    assert_eq!(block_on(get(&cell)), Ok(&1));
    assert_eq!(block_on(get(&cell)), Ok(&1));
}

// Waiting.

#[test]
fn wait_gives_the_value_in_its_place() {
    let cell = OnceCell::from(1);
    assert!(is_same(block_on(cell.wait()), cell.get().unwrap()));
}

// Owning.

#[test]
fn take_leaves_the_cell_empty() {
    let mut cell = OnceCell::from(1);
    assert_eq!(cell.take(), Some(1));
    assert_eq!(cell.take(), None);
    assert_eq!(cell.set(2), Ok(()));
}

#[test]
fn into_inner_gives_the_value() {
    assert_eq!(OnceCell::from(1).into_inner(), Some(1));
    assert_eq!(OnceCell::<u32>::new().into_inner(), None);
}

// Traits.

#[test]
fn a_clone_has_its_own_value() {
    let cell = OnceCell::from(String::from("value"));
    let clone = cell.clone();
    assert_eq!(clone.get(), cell.get());
    assert!(!is_same(clone.get().unwrap(), cell.get().unwrap()));
    assert_eq!(OnceCell::<u32>::new().clone().get(), None);
}

#[test]
fn a_clone_knows_nothing_of_a_running_initializer() {
    let cell = OnceCell::new();
    let (_gate, _running) = start(&cell);
    assert_eq!(cell.clone().set(1), Ok(()));
}

#[test]
fn debug_shows_the_value_or_the_state() {
    assert_eq!(format!("{:?}", OnceCell::from("value")), r#"OnceCell("value")"#);
    let cell = OnceCell::<u32>::new();
    assert_eq!(format!("{cell:?}"), "OnceCell(<uninit>)");
    let (_gate, running) = start(&cell);
    assert_eq!(format!("{cell:?}"), "OnceCell(<initializing>)");
    drop(running);
    assert_eq!(format!("{cell:?}"), "OnceCell(<uninit>)");
}

#[test]
fn debug_of_a_lazy_value_shows_the_value_or_whether_a_task_drives_it() {
    let lazy = Lazy::new(Box::pin(async {
        yield_now().await;
        1
    }));
    assert_eq!(format!("{lazy:?}"), "Lazy(<uninit>)");
    let mut driver = Box::pin(lazy.get_unpin());
    assert!(poll(&mut driver).is_pending());
    assert_eq!(format!("{lazy:?}"), "Lazy(<initializing>)");
    drop(driver);
    assert_eq!(format!("{lazy:?}"), "Lazy(<uninit>)");
    now(lazy.get_unpin());
    assert_eq!(format!("{lazy:?}"), "Lazy(1)");
}

#[test]
fn debug_of_a_static_shows_the_value_or_whether_its_future_is_pending() {
    static CELL: OnceCell<u32> = OnceCell::new();
    oncelot::lazy! {
        static LAZY: u32 = async { *CELL.wait().await };
    }
    assert_eq!(format!("{LAZY:?}"), "StaticLazy(<uninit>)");
    let mut get = Box::pin(LAZY.get());
    assert!(poll(&mut get).is_pending());
    assert_eq!(format!("{LAZY:?}"), "StaticLazy(<initializing>)");
    assert_eq!(CELL.set(1), Ok(()));
    assert_eq!(poll(&mut get), Poll::Ready(&1));
    assert_eq!(format!("{LAZY:?}"), "StaticLazy(1)");
}

#[test]
fn debug_of_a_future_shows_its_name() {
    let cell = OnceCell::<u32>::new();
    assert!(format!("{:?}", cell.get_or_init(one)).starts_with("GetOrInit"));
    assert!(format!("{:?}", cell.get_or_try_init(try_one)).starts_with("GetOrTryInit"));
    assert!(format!("{:?}", cell.get_or_try_init_shared(try_one)).starts_with("GetOrTryInitShared"));
    assert!(format!("{:?}", cell.get_or_claim()).starts_with("GetOrClaim"));
    assert!(format!("{:?}", cell.wait()).starts_with("Wait"));
    assert!(format!("{:?}", cell.wait_attempt()).starts_with("WaitAttempt"));
    assert!(format!("{:?}", cell.insert(1)).starts_with("Insert"));
    let mut cell = cell;
    assert!(format!("{:?}", cell.get_mut_or_init(one)).starts_with("GetMutOrInit"));
    assert!(format!("{:?}", cell.get_mut_or_try_init(try_one)).starts_with("GetMutOrTryInit"));
}

#[test]
fn debug_of_a_backend_shows_the_state() {
    fn shown<B: Backend + std::fmt::Debug>() -> [String; 2] {
        let (uninit, ready) = (B::UNINIT, B::READY);
        [format!("{uninit:?}"), format!("{ready:?}")]
    }
    assert_eq!(shown::<Intrusive>(), ["Intrusive(Uninit)", "Intrusive(Ready)"]);
    assert_eq!(shown::<Local>(), ["Local(Uninit)", "Local(Ready)"]);
    #[cfg(feature = "atomic-waker")]
    assert_eq!(
        shown::<AtomicWaker>(),
        ["AtomicWaker(Uninit)", "AtomicWaker(Ready)"]
    );
    #[cfg(feature = "event-listener")]
    assert_eq!(
        shown::<EventListener>(),
        ["EventListener(Uninit)", "EventListener(Ready)"]
    );
}

#[test]
fn debug_of_a_waiter_shows_what_it_waits_for() {
    assert_eq!(
        format!("{:?}", Intrusive::waiter(WaiterKind::Passive)),
        "IntrusiveWaiter { is_waiting: false, .. }"
    );
    assert_eq!(
        format!("{:?}", Local::waiter(WaiterKind::Passive)),
        "LocalWaiter { is_waiting: false, .. }"
    );
    #[cfg(feature = "event-listener")]
    assert_eq!(
        format!("{:?}", EventListener::waiter(WaiterKind::Claimant)),
        "EventListenerWaiter { kind: Claimant, is_waiting: false }"
    );
}

#[test]
fn a_local_cell_has_the_interface_of_the_others() {
    let mut cell = LocalOnceCell::<u32>::default();
    assert_eq!(cell.state(), State::Uninit);
    assert_eq!(now(cell.get_or_try_init(async || Err("failed"))), Err("failed"));
    let failed = now(cell.get_or_try_init_shared(async || Err("failed")));
    assert_eq!(failed, Err(SharedInitError::Failed("failed")));
    assert_eq!(now(cell.wait_attempt()), None);
    drop(cell.try_claim());
    drop(now(cell.get_or_claim()));
    assert_eq!(now(cell.insert(1)), Ok(&1));
    assert_eq!(cell.set(2), Err(SetError::AlreadyInitializedError(2)));
    assert_eq!(cell.clone().into_inner(), Some(1));
    assert_eq!(cell.take(), Some(1));
    assert_eq!(cell, LocalOnceCell::with_backend());
    *now(cell.get_mut_or_init(async || 3)) += 1;
    assert_eq!(cell, LocalOnceCell::with_backend_and_value(4));
}

#[test]
fn cells_are_equal_if_their_values_are() {
    assert_eq!(OnceCell::from(1), OnceCell::from(1));
    assert_ne!(OnceCell::from(1), OnceCell::from(2));
    assert_ne!(OnceCell::from(1), OnceCell::new());
    assert_eq!(OnceCell::<u32>::new(), OnceCell::new());
}

#[test]
fn a_cell_is_eq_if_its_value_is() {
    fn assert_eq_trait<T: Eq>() {}
    assert_eq_trait::<OnceCell<String>>();
}

// The error.

#[test]
fn set_error_distinguishes_its_kinds() {
    let already = SetError::AlreadyInitializedError(1);
    assert!(already.is_already_init_err() && !already.is_initializing_err());
    let initializing = SetError::InitializingError(1);
    assert!(initializing.is_initializing_err() && !initializing.is_already_init_err());
    assert_ne!(already, initializing);
}

#[test]
fn set_error_gives_the_value_back() {
    assert_eq!(SetError::AlreadyInitializedError("value").into_inner(), "value");
    assert_eq!(SetError::InitializingError("value").into_inner(), "value");
}

#[test]
fn set_error_is_an_error_with_a_reason() {
    fn boxed(error: SetError<u32>) -> Box<dyn std::error::Error> {
        Box::new(error)
    }
    let already = boxed(SetError::AlreadyInitializedError(1)).to_string();
    assert!(already.contains("already holds a value"), "{already}");
    let initializing = boxed(SetError::InitializingError(1)).to_string();
    assert!(initializing.contains("being initialized"), "{initializing}");
}

#[test]
fn set_error_can_be_displayed_without_a_value_that_can_be_debugged() {
    struct Opaque;
    assert!(!SetError::InitializingError(Opaque).to_string().is_empty());
}

#[test]
fn set_error_is_clone_eq_and_debug() {
    let error = SetError::InitializingError(String::from("value"));
    assert_eq!(error.clone(), error);
    assert_eq!(format!("{error:?}"), r#"InitializingError("value")"#);
}

#[test]
fn initializing_error_is_an_error_that_names_the_ways_out() {
    let error: Box<dyn std::error::Error + Send + Sync> = Box::new(InitializingError);
    assert_eq!(
        error.to_string(),
        "the cell is being initialized; wait for it with `get_or_init` or `wait`, or try again later"
    );
}

#[test]
fn initializing_error_is_copy_eq_and_debug() {
    let error = InitializingError;
    let copy = error;
    assert_eq!(copy, error);
    assert_eq!(format!("{error:?}"), "InitializingError");
}

// Owners of other types.

#[test]
fn a_cell_can_hold_a_zero_sized_value() {
    let cell = OnceCell::new();
    assert_eq!(block_on(cell.get_or_init(async || ())), &());
}

#[test]
fn a_cell_can_hold_a_value_that_is_not_send() {
    let cell = OnceCell::new();
    let value = block_on(cell.get_or_init(async || std::rc::Rc::new(1)));
    assert_eq!(**value, 1);
}

#[test]
fn a_cell_can_hold_a_value_without_traits() {
    let cell = OnceCell::<RandomState>::new();
    assert!(cell.set(RandomState::new()).is_ok());
    let _: &RandomState = now(cell.wait());
}

// A backend from outside. The conformance suite shows in `examples/custom_backend` that it is one.

#[test]
fn a_backend_from_outside_initializes() {
    static CELL: OnceCell<u32, Locked> = OnceCell::with_backend();
    assert!(!CELL.initialized());
    assert_eq!(block_on(CELL.get_or_init(one)), &1);
    assert_eq!(CELL.set(2), Err(SetError::AlreadyInitializedError(2)));
    assert_eq!(block_on(CELL.wait()), &1);
}

#[test]
fn a_backend_from_outside_starts_ready() {
    static CELL: OnceCell<u32, Locked> = OnceCell::with_backend_and_value(1);
    assert_eq!(CELL.get(), Some(&1));
}

#[test]
fn a_backend_from_outside_is_reset_by_take() {
    let mut cell = OnceCell::<u32, Locked>::with_backend_and_value(1);
    assert_eq!(cell.take(), Some(1));
    assert_eq!(*now(cell.get_mut_or_init(one)), 1);
    assert_eq!(cell.clone().into_inner(), Some(1));
    assert_eq!(cell, OnceCell::with_backend_and_value(1));
    assert_eq!(format!("{cell:?}"), "OnceCell(1)");
}
