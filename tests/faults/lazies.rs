//! Scenarios of `Lazy`, `BoxLazy` and statics of `lazy!`.

use std::pin::Pin;

use oncelot::{__private::FutureStorage, Backend, BoxLazy, Lazy, StaticLazy};

use crate::{
    Runner,
    check::has_found_poison,
    run::{
        Kind, Lent, Sort, Work, add, add_act, add_opener, as_owner, cancel, cancel_all, in_poll, job,
        move_task, point, require, run, run_to_end, with,
    },
    user::{Initializer, Ready, Value},
    util::leaked,
};

/// One of the three types: its constructor, what is called while it is shared, and what is done to it in the end.
struct Type<L: 'static> {
    name: &'static str,
    with_future: fn(Ready) -> L,
    get: fn(&'static L) -> Work,
    get_blocking: fn(&'static L) -> &'static Value,
    try_get: fn(&L) -> Option<&Value>,
    ends: Vec<End<L>>,
}

/// What is done to a lazy in the end, after its name.
type End<L> = (&'static str, fn(L));

/// The tasks that call the lazy.
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

pub(crate) fn run_lazies<B: Backend + 'static>(runner: &mut Runner) {
    let lazy = Type::<Lazy<Value, Initializer<Value>, B>> {
        name: "Lazy",
        with_future: |ready| Lazy::with_backend(Initializer::of_lazy(ready)),
        get: |lazy| job(Pin::static_ref(lazy).get(), Value::see),
        get_blocking: |lazy| Pin::static_ref(lazy).get_blocking(),
        try_get: Lazy::try_get,
        ends: vec![
            ("drop", drop_lazy),
            ("into_inner", |lazy| drop_output(|| lazy.into_inner())),
            ("into_parts", |lazy| drop_output(|| lazy.into_parts())),
        ],
    };
    run_type(runner, &lazy, &[true, false]);
}

pub(crate) fn run_boxes<B: Backend + Send + Sync + 'static>(runner: &mut Runner) {
    let lazy = Type::<BoxLazy<'static, Value, B>> {
        name: "BoxLazy",
        with_future: |ready| BoxLazy::with_backend(Box::pin(Initializer::of_lazy(ready))),
        get: |lazy| job(lazy.get(), Value::see),
        get_blocking: BoxLazy::get_blocking,
        try_get: BoxLazy::try_get,
        ends: vec![
            ("drop", drop_lazy),
            ("into_inner", |lazy| drop_output(|| lazy.into_inner())),
            ("into_parts", |lazy| drop_output(|| lazy.into_parts())),
        ],
    };
    run_type(runner, &lazy, &[true, false]);
}

pub(crate) fn run_statics(runner: &mut Runner) {
    let drop_static: fn(StaticLazy<Value>) = |lazy| {
        // "The remains of the future are leaked, as the contents of every static are."
        with(|run| run.may_leak_future = run.is_poisoned);
        drop_lazy(lazy);
    };
    let lazy = Type {
        name: "lazy!",
        with_future: new_static,
        get: |lazy| job(StaticLazy::get(lazy), Value::see),
        get_blocking: StaticLazy::get_blocking,
        try_get: StaticLazy::try_get,
        ends: vec![("drop", drop_static)],
    };
    run_type(runner, &lazy, &[true]);
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
    let storage = leaked(Storage::new());
    // SAFETY: the storage is this static's alone.
    unsafe { StaticLazy::__new(storage, start) }
}

/// Runs all scenarios of a type, with callers that are run to their end or not.
fn run_type<L>(runner: &mut Runner, lazy: &Type<L>, to_ends: &[bool]) {
    for (end_name, end) in &lazy.ends {
        for ready in [Ready::AtOnce, Ready::Later, Ready::AtGate] {
            let mut all_callers = vec![Callers::None, Callers::One];
            // With more callers, the lazy ends in the same states as with one.
            if *end_name == "drop" {
                all_callers.extend([Callers::Three, Callers::ThreeWithoutFirst]);
                // A thread that waits at the gate would block the only one.
                all_callers.extend((ready != Ready::AtGate).then_some(Callers::Blocking));
            }
            for callers in all_callers {
                for &to_end in to_ends {
                    let name = lazy.name;
                    let name = format!("{name}: {ready:?}, {callers:?}, to end: {to_end}, {end_name}");
                    runner.scenario(&name, || end(run_calls(lazy, ready, callers, to_end)));
                }
            }
        }
    }
}

/// Runs the callers of a lazy. If they are run to their end, another caller follows, which must get the value, or panic if the
/// future has panicked.
fn run_calls<L>(lazy_type: &Type<L>, ready: Ready, callers: Callers, to_end: bool) -> L {
    let lent = Lent::new((lazy_type.with_future)(ready));
    let lazy = lent.get();
    let get = lazy_type.get;
    let add_caller = || add(|| get(lazy));
    match callers {
        Callers::None => {}
        Callers::One => {
            add_caller();
        }
        Callers::Blocking => {
            let get_blocking = lazy_type.get_blocking;
            add_act(move || get_blocking(lazy).see());
        }
        Callers::Three => {
            let [_, _, last] = [(); 3].map(|()| add_caller());
            add_act(move || move_task(last));
            add_opener();
        }
        Callers::ThreeWithoutFirst => {
            let [first, _, _] = [(); 3].map(|()| add_caller());
            add_act(move || cancel(first));
            add_opener();
        }
    }
    if to_end {
        run_to_end(|| true, add_caller);
        let (last, is_poisoned) = with(|run| (run.tasks.len() - 1, run.is_poisoned));
        require(
            has_found_poison(last) == is_poisoned,
            "a call panics if the future has panicked",
        );
        require(
            (lazy_type.try_get)(lazy).is_some() != is_poisoned,
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
