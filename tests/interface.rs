//! Tests of the public interface, as users write it, beyond the examples in the documentation and the conformance suite.

#[path = "../examples/custom_backend/locked.rs"]
mod locked;
mod util;

use std::{collections::hash_map::RandomState, error::Error, fmt::Debug, future::ready, task::Poll};

use futures_lite::future::block_on;
use locked::Locked;
use oncelot::{
    InitializingError, OnceCell, SetError, SharedInitError, State,
    backend::{Backend, Intrusive, Local, WaiterKind},
};
use util::{is_same, now, poll, start};

// Constructors and access.

#[test]
fn a_constructor_makes_an_empty_cell_or_one_with_a_value() {
    static EMPTY: [OnceCell<u32>; 2] = [OnceCell::const_new(), OnceCell::with_backend()];
    static READY: [OnceCell<u32>; 2] = [OnceCell::const_new_with(1), OnceCell::with_backend_and_value(1)];
    assert_eq!(EMPTY.each_ref().map(OnceCell::get), [None; 2]);
    assert_eq!(READY.each_ref().map(OnceCell::get), [Some(&1); 2]);
    // At run time.
    assert_eq!(OnceCell::<u32>::new().get(), None);
    assert_eq!(OnceCell::<u32>::const_new().get(), None);
    assert_eq!(OnceCell::<u32>::new_with(None).get(), None);
    assert_eq!(OnceCell::new_with(Some(1)).get(), Some(&1));
    assert_eq!(OnceCell::from(1).get(), Some(&1));
    // The value needs no default.
    struct NoDefault;
    assert!(!OnceCell::<NoDefault>::default().initialized());
}

#[test]
fn access_follows_the_initializer_and_does_not_wait() {
    let look = |cell: &OnceCell<u32>| (cell.state(), cell.initialized(), cell.get().copied());
    let cell = OnceCell::new();
    assert_eq!(look(&cell), (State::Uninit, false, None));
    let (gate, mut running) = start(&cell);
    assert_eq!(look(&cell), (State::Initializing, false, None));
    gate.open(Err("failed"));
    assert!(poll(&mut running).is_ready());
    assert_eq!(look(&cell), (State::Uninit, false, None));
    let (gate, mut running) = start(&cell);
    gate.open(Ok(1));
    assert!(poll(&mut running).is_ready());
    assert_eq!(look(&cell), (State::Ready, true, Some(1)));
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
#[cfg(debug_assertions)]
#[should_panic(expected = "`OnceCell::get_unchecked` was called on an empty cell")]
fn get_unchecked_of_an_empty_cell_panics_in_debug_builds() {
    let cell = OnceCell::<u32>::new();
    // SAFETY: broken on purpose: debug builds panic before anything is read.
    let _ = unsafe { cell.get_unchecked() };
}

#[test]
fn each_method_returns_the_value_in_its_place() {
    let cell = OnceCell::new();
    let value = cell.try_insert(1).unwrap();
    assert!(is_same(value, cell.get().unwrap()));
    // SAFETY: the cell holds a value.
    assert!(is_same(value, unsafe { cell.get_unchecked() }));
    assert!(is_same(value, block_on(cell.wait())));
    assert!(is_same(value, block_on(cell.get_or_init(async || 2))));
    let cell = OnceCell::new();
    let value = block_on(cell.insert(1)).unwrap();
    assert!(is_same(value, cell.get().unwrap()));
}

// Initialization.

async fn one() -> u32 {
    1
}

async fn try_one() -> Result<u32, String> {
    Ok(1)
}

#[test]
fn an_initializer_is_any_function_that_returns_a_future() {
    assert_eq!(block_on(OnceCell::new().get_or_init(one)), &1);
    assert_eq!(block_on(OnceCell::new().get_or_init(|| async { 1 })), &1);
    assert_eq!(block_on(OnceCell::new().get_or_init(|| ready(1))), &1);
    assert_eq!(block_on(OnceCell::new().get_or_init(async || 1)), &1);
    let owned = String::from("owned");
    let init = async move || owned;
    assert_eq!(block_on(OnceCell::new().get_or_init(init)), "owned");
    let text = String::from("borrowed");
    let borrows = async || text.as_str();
    assert_eq!(block_on(OnceCell::new().get_or_init(borrows)), &"borrowed");
    let boxed = || -> util::BoxFuture<'_, u32> { Box::pin(one()) };
    assert_eq!(block_on(OnceCell::new().get_or_init(boxed)), &1);
    assert_eq!(block_on(OnceCell::new().get_or_try_init(try_one)), Ok(&1));
    assert_eq!(block_on(OnceCell::new().get_or_try_init_shared(try_one)), Ok(&1));
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
fn a_static_lends_its_value_for_the_whole_program() {
    static CELL: OnceCell<u32> = OnceCell::new();

    async fn get() -> Result<u32, SharedInitError<String>> {
        Ok(*CELL.get_or_try_init_shared(try_one).await? + 1)
    }

    assert_eq!(block_on(get()), Ok(2));
    let value: Result<&'static u32, String> = block_on(CELL.get_or_try_init(try_one));
    let value: &'static u32 = value.unwrap();
    assert!(is_same(block_on(CELL.get_or_init(one)), value));
    let value: Result<&'static u32, InitializingError> = CELL.try_get_or_init(|| 2);
    assert_eq!(value, Ok(&1));
}

#[test]
fn an_error_may_differ_from_call_to_call() {
    let cell = OnceCell::<u32>::new();
    assert_eq!(block_on(cell.get_or_try_init(async || Err(1_u8))), Err(1));
    assert_eq!(block_on(cell.get_or_try_init(async || Err("text"))), Err("text"));
}

#[test]
fn get_mut_or_init_initializes_at_its_polls_and_lends_for_changing() {
    let mut cell = OnceCell::new();
    drop(cell.get_mut_or_init(|| -> std::future::Pending<u32> { panic!("never polled") }));
    assert_eq!(cell.get(), None);
    let gate = util::Gate::new();
    let mut running = Box::pin(cell.get_mut_or_init(|| gate.clone()));
    assert!(poll(&mut running).is_pending());
    gate.open(1);
    assert_eq!(poll(&mut running), Poll::Ready(&mut 1));
    drop(running);
    *block_on(cell.get_mut_or_init(async || unreachable!())) += 1;
    assert_eq!(block_on(cell.get_mut_or_init(async || unreachable!())), &mut 2);
}

#[test]
fn get_mut_or_init_leaves_the_cell_empty_on_an_error_or_a_panic() {
    let mut cell = OnceCell::new();
    let failed = block_on(cell.get_mut_or_try_init(async || Err("failed")));
    assert_eq!(failed, Err("failed"));
    assert_eq!(cell.get(), None);
    util::panic_of(|| now(cell.get_mut_or_init(|| util::Panicking("in the poll"))));
    assert_eq!(cell.get(), None);
    *block_on(cell.get_mut_or_try_init(try_one)).unwrap() += 1;
    assert_eq!(cell.get(), Some(&2));
}

// Traits.

#[test]
fn a_clone_has_its_own_value_and_no_running_initializer() {
    let cell = OnceCell::from(String::from("value"));
    let clone = cell.clone();
    assert_eq!(clone.get(), cell.get());
    assert!(!is_same(clone.get().unwrap(), cell.get().unwrap()));
    let cell = OnceCell::<u32>::new();
    assert_eq!(cell.clone().get(), None);
    let (_gate, _running) = start(&cell);
    assert_eq!(cell.clone().set(1), Ok(()));
}

#[test]
fn debug_shows_the_value_or_the_state() {
    let cell = OnceCell::new();
    let show = || format!("{cell:?}");
    assert_eq!(show(), "OnceCell(<uninit>)");
    let (gate, running) = start(&cell);
    assert_eq!(show(), "OnceCell(<initializing>)");
    drop((gate, running));
    assert_eq!(cell.set("value"), Ok(()));
    assert_eq!(show(), r#"OnceCell("value")"#);
}

#[test]
fn debug_of_a_future_shows_its_name() {
    let mut cell = OnceCell::<u32>::new();
    let shared = [
        format!("{:?}", cell.get_or_init(one)),
        format!("{:?}", cell.get_or_try_init(try_one)),
        format!("{:?}", cell.get_or_try_init_shared(try_one)),
        format!("{:?}", cell.get_or_claim()),
        format!("{:?}", cell.wait()),
        format!("{:?}", cell.wait_attempt()),
        format!("{:?}", cell.insert(1)),
        format!("{:?}", cell.get_mut_or_init(one)),
        format!("{:?}", cell.get_mut_or_try_init(try_one)),
    ];
    let names = "GetOrInit GetOrTryInit GetOrTryInitShared GetOrClaim Wait WaitAttempt Insert GetMutOrInit GetMutOrTryInit";
    assert!(
        shared
            .iter()
            .map(|text| text.trim_end_matches(" { .. }"))
            .eq(names.split(' ')),
        "{shared:?}"
    );
}

#[test]
fn debug_of_a_backend_shows_the_state_and_debug_of_a_waiter_whether_it_waits() {
    fn show<B: Backend<Waiter: Debug> + Debug>() -> [String; 3] {
        let (uninit, ready, waiter) = (B::UNINIT, B::READY, B::waiter(WaiterKind::Passive));
        [format!("{uninit:?}"), format!("{ready:?}"), format!("{waiter:?}")]
    }

    let [uninit, ready, waiter] = show::<Intrusive>();
    assert_eq!((&*uninit, &*ready), ("Intrusive(Uninit)", "Intrusive(Ready)"));
    assert_eq!(waiter, "IntrusiveWaiter { is_waiting: false, .. }");
    let [uninit, ready, waiter] = show::<Local>();
    assert_eq!((&*uninit, &*ready), ("Local(Uninit)", "Local(Ready)"));
    assert_eq!(waiter, "LocalWaiter { is_waiting: false, .. }");
    #[cfg(feature = "atomic-waker")]
    {
        let [uninit, ready, _] = show::<oncelot::backend::AtomicWaker>();
        assert_eq!((&*uninit, &*ready), ("AtomicWaker(Uninit)", "AtomicWaker(Ready)"));
    }
    #[cfg(feature = "event-listener")]
    {
        let [uninit, ready, waiter] = show::<oncelot::backend::EventListener>();
        assert_eq!(
            (&*uninit, &*ready),
            ("EventListener(Uninit)", "EventListener(Ready)")
        );
        assert_eq!(waiter, "EventListenerWaiter { kind: Passive, is_waiting: false }");
    }
}

#[test]
fn cells_are_equal_if_their_values_are() {
    fn assert_eq_trait<T: Eq>() {}
    assert_eq_trait::<OnceCell<String>>();
    assert_eq!(OnceCell::from(1), OnceCell::from(1));
    assert_ne!(OnceCell::from(1), OnceCell::from(2));
    assert_ne!(OnceCell::from(1), OnceCell::new());
    assert_eq!(OnceCell::<u32>::new(), OnceCell::new());
}

// The errors.

#[test]
fn set_error_distinguishes_its_kinds_and_gives_the_value_back() {
    let already = SetError::AlreadyInitializedError(String::from("value"));
    let initializing = SetError::InitializingError(String::from("value"));
    assert!(already.is_already_init_err() && !already.is_initializing_err());
    assert!(initializing.is_initializing_err() && !initializing.is_already_init_err());
    assert_ne!(already, initializing);
    assert_eq!(already.clone(), already);
    assert_eq!(format!("{initializing:?}"), r#"InitializingError("value")"#);
    assert_eq!(
        (already.into_inner(), initializing.into_inner()),
        ("value".into(), "value".into())
    );
}

#[test]
fn an_error_names_the_reason_and_the_ways_out() {
    let already: Box<dyn Error> = Box::new(SetError::AlreadyInitializedError(1));
    assert!(already.to_string().contains("already holds a value"), "{already}");
    let initializing: Box<dyn Error> = Box::new(SetError::InitializingError(1));
    assert!(
        initializing.to_string().contains("being initialized"),
        "{initializing}"
    );
    let (error, copy) = (InitializingError, InitializingError);
    assert_eq!((error, format!("{copy:?}")), (copy, "InitializingError".into()));
    let initializing: Box<dyn Error + Send + Sync> = Box::new(copy);
    assert_eq!(
        initializing.to_string(),
        "the cell is being initialized; wait for it with `get_or_init` or `wait`, or try again later"
    );
    // The value need not implement `Debug`.
    struct Opaque;
    assert!(!SetError::InitializingError(Opaque).to_string().is_empty());
}

// Other values, and another backend.

#[test]
fn a_value_may_be_zero_sized_not_send_or_without_traits() {
    assert_eq!(block_on(OnceCell::new().get_or_init(async || ())), &());
    let cell = OnceCell::new();
    let value = block_on(cell.get_or_init(async || std::rc::Rc::new(1)));
    assert_eq!(**value, 1);
    let cell = OnceCell::<RandomState>::new();
    assert!(cell.set(RandomState::new()).is_ok());
    let _: &RandomState = now(cell.wait());
}

/// The conformance suite tests what these methods do, in `examples/custom_backend` also with the backend from outside.
#[test]
fn every_backend_has_the_whole_interface() {
    fn assert_complete<B: Backend>() {
        let mut cell = OnceCell::<u32, B>::default();
        assert_eq!((cell.state(), cell.initialized()), (State::Uninit, false));
        assert_eq!(now(cell.get_or_try_init(async || Err("failed"))), Err("failed"));
        let failed = now(cell.get_or_try_init_shared(async || Err("failed")));
        assert_eq!(failed, Err(SharedInitError::Failed("failed")));
        assert_eq!(now(cell.wait_attempt()), None);
        drop(cell.try_claim());
        drop(now(cell.get_or_claim()));
        assert_eq!(now(cell.insert(1)), Ok(&1));
        assert_eq!(now(cell.get_or_init(one)), now(cell.wait()));
        assert_eq!(cell.set(2), Err(SetError::AlreadyInitializedError(2)));
        assert_eq!(cell.clone().into_inner(), Some(1));
        assert_eq!(cell.take(), Some(1));
        assert_eq!(cell, OnceCell::with_backend());
        *now(cell.get_mut_or_init(async || 3)) += 1;
        assert_eq!(cell, OnceCell::with_backend_and_value(4));
        assert_eq!(format!("{cell:?}"), "OnceCell(4)");
    }

    assert_complete::<Intrusive>();
    assert_complete::<Local>();
    assert_complete::<Locked>();
    static EMPTY: OnceCell<u32, Locked> = OnceCell::with_backend();
    static READY: OnceCell<u32, Locked> = OnceCell::with_backend_and_value(1);
    assert_eq!((EMPTY.get(), READY.get()), (None, Some(&1)));
}
