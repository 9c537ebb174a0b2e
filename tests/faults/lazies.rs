//! Scenarios of `Lazy`, `BoxLazy` and statics of `lazy!`.

use std::{fmt, pin::Pin};

use oncelot::{__private::FutureStorage, Backend, BoxLazy, Lazy, StaticLazy};

use crate::{
    Runner,
    check::has_found_poison,
    run::{
        Kind, Lent, Sort, Work, act, add, add_opener, as_owner, cancel, cancel_all, in_poll, job, move_task,
        point, require, run, run_to_end, with,
    },
    user::{Initializer, Ready, Value},
    util::leak_box,
};

/// What is called on a shared lazy.
struct Calls<L: 'static> {
    get: fn(&'static L) -> Work,
    get_blocking: fn(&'static L) -> &'static Value,
    try_get: fn(&L) -> Option<&Value>,
}

/// Who calls the lazy.
#[derive(Debug, Clone, Copy)]
enum Callers {
    None,
    One,
    /// One that blocks its thread.
    Blocking,
    /// Three, of which the last moves to another task.
    Three,
    /// Three, of which the first is cancelled.
    ThreeWithoutFirst,
}

/// What is done to the lazy in the end.
#[derive(Debug, Clone, Copy)]
enum End {
    Drop,
    IntoInner,
    IntoParts,
    Debug,
}

/// A lazy whose future is ready at some time, or one with a value; the callers, and whether they are run until there is a
/// value; and the end.
type Scenario = (Option<Ready>, Callers, bool, End);

fn scenarios() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for end in [End::Drop, End::IntoInner, End::IntoParts, End::Debug] {
        scenarios.push((None, Callers::One, true, end));
        for ready in [Ready::AtOnce, Ready::Later, Ready::AtGate].map(Some) {
            let mut callers = vec![Callers::None, Callers::One];
            // Other callers leave the lazy in the states in which one leaves it.
            if matches!(end, End::Drop) {
                callers.extend([Callers::Three, Callers::ThreeWithoutFirst]);
                // A thread that waits at the gate would block the only one.
                callers.extend((ready != Some(Ready::AtGate)).then_some(Callers::Blocking));
            }
            for callers in callers {
                scenarios.extend([true, false].map(|to_end| (ready, callers, to_end, end)));
            }
        }
    }
    scenarios
}

pub(crate) fn run_lazies<B: Backend + 'static>(runner: &mut Runner) {
    let calls = Calls::<Lazy<Value, Initializer<Value>, B>> {
        get: |lazy| job(Pin::static_ref(lazy).get(), Value::see),
        get_blocking: |lazy| Pin::static_ref(lazy).get_blocking(),
        try_get: Lazy::try_get,
    };
    for scenario in scenarios() {
        runner.scenario(&format!("Lazy: {scenario:?}"), || {
            let (ready, callers, to_end, end) = scenario;
            let lazy = match ready {
                Some(ready) => Lazy::with_backend(Initializer::of_lazy(ready)),
                None => Lazy::with_backend_and_value(Value::value()),
            };
            let lazy = run_calls(lazy, &calls, callers, to_end);
            match end {
                End::Drop => drop_lazy(lazy),
                End::IntoInner => drop_output(|| lazy.into_inner()),
                End::IntoParts => drop_output(|| lazy.into_parts()),
                End::Debug => debug_and_drop(lazy),
            }
        });
    }
}

pub(crate) fn run_boxes<B: Backend + Send + Sync + 'static>(runner: &mut Runner) {
    let calls = Calls::<BoxLazy<'static, Value, B>> {
        get: |lazy| job(lazy.get(), Value::see),
        get_blocking: BoxLazy::get_blocking,
        try_get: BoxLazy::try_get,
    };
    for scenario in scenarios() {
        runner.scenario(&format!("BoxLazy: {scenario:?}"), || {
            let (ready, callers, to_end, end) = scenario;
            let lazy = match ready {
                Some(ready) => BoxLazy::with_backend(Box::pin(Initializer::of_lazy(ready))),
                None => BoxLazy::with_backend_and_value(Value::value()),
            };
            let lazy = run_calls(lazy, &calls, callers, to_end);
            match end {
                End::Drop => drop_lazy(lazy),
                End::IntoInner => drop_output(|| lazy.into_inner()),
                End::IntoParts => drop_output(|| lazy.into_parts()),
                End::Debug => debug_and_drop(lazy),
            }
        });
    }
}

pub(crate) fn run_statics(runner: &mut Runner) {
    let calls = Calls {
        get: |lazy| job(StaticLazy::get(lazy), Value::see),
        get_blocking: StaticLazy::get_blocking,
        try_get: StaticLazy::try_get,
    };
    for scenario in scenarios() {
        let (Some(ready), callers, true, End::Drop) = scenario else {
            continue;
        };
        runner.scenario(&format!("lazy!: {ready:?}, {callers:?}"), || {
            let lazy = run_calls(new_static(ready), &calls, callers, true);
            // "The remains of the future are leaked, as the contents of every static are."
            with(|run| run.may_leak_future = run.is_poisoned);
            drop_lazy(lazy);
        });
    }
}

fn new_static(ready: Ready) -> StaticLazy<Value> {
    type Storage = FutureStorage<{ size_of::<Initializer<Value>>() }, { align_of::<Initializer<Value>>() }>;

    fn start(ready: Ready) -> Initializer<Value> {
        in_poll(Sort::LazyFuture, || point(Kind::Call("start")));
        Initializer::of_lazy(ready)
    }

    let start: fn() -> Initializer<Value> = match ready {
        Ready::AtOnce => || start(Ready::AtOnce),
        Ready::Later => || start(Ready::Later),
        Ready::AtGate => || start(Ready::AtGate),
    };
    // SAFETY: it is never freed.
    let storage = unsafe { &*leak_box(Box::new(Storage::new())) };
    // SAFETY: the storage is this static's alone.
    unsafe { StaticLazy::__new(storage, start) }
}

/// Runs the callers of a lazy, and if they are run to their end, a last one: it returns the value, or panics if the future has
/// panicked.
fn run_calls<L>(lazy: L, calls: &Calls<L>, callers: Callers, to_end: bool) -> L {
    let lent = Lent::new(lazy);
    let lazy = lent.get();
    let get = calls.get;
    let add_caller = || add(|| get(lazy));
    match callers {
        Callers::None => {}
        Callers::One => {
            add_caller();
        }
        Callers::Blocking => {
            let get_blocking = calls.get_blocking;
            add(|| act(move || get_blocking(lazy).see()));
        }
        Callers::Three | Callers::ThreeWithoutFirst => {
            let [first, _, last] = [(); 3].map(|()| add_caller());
            let is_cancelled = matches!(callers, Callers::ThreeWithoutFirst);
            add(|| {
                act(move || {
                    if is_cancelled {
                        cancel(first)
                    } else {
                        move_task(last)
                    }
                })
            });
            add_opener();
        }
    }
    if to_end {
        run_to_end(
            || true,
            move || {
                add(|| get(lazy));
            },
        );
        let (last, is_poisoned) = with(|run| (run.tasks.len() - 1, run.is_poisoned));
        require(
            has_found_poison(last) == is_poisoned,
            "a call panics if the future has panicked",
        );
        require(
            (calls.try_get)(lazy).is_some() != is_poisoned,
            "there is a value if the future has not panicked",
        );
    } else {
        run();
        cancel_all();
    }
    lent.take()
}

fn drop_lazy<L>(lazy: L) {
    as_owner(|| drop(lazy));
}

fn drop_output<R>(f: impl FnOnce() -> R) {
    let output = as_owner(f);
    as_owner(|| drop(output));
}

fn debug_and_drop(lazy: impl fmt::Debug) {
    drop_output(|| format!("{lazy:?}"));
    drop_lazy(lazy);
}
