//! A `StaticLazy` in some generations.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use oncelot::{
    __private::{FutureStorage, align_of_future, size_of_future},
    StaticLazy,
};

use crate::{
    census::Census,
    clock::Clock,
    initializer::{Ending, compute},
    random::Random,
    site::{Site, Value},
    totals::TOTALS,
};

type Lazy = StaticLazy<Value>;
type Room = FutureStorage<{ size_of_future(start) }, { align_of_future(start) }>;

/// Statics are never dropped, so that there is a bound to them.
const MOST: usize = 10_000;
static ALL: Mutex<Vec<&'static Lazy>> = Mutex::new(Vec::new());

/// A static, made at run time and never dropped, as its wakers may refer to it forever.
#[derive(Clone, Debug)]
pub(crate) struct Static {
    lazy: &'static Lazy,
    plan: Arc<Plan>,
}

#[derive(Debug)]
struct Plan {
    site: Arc<Site>,
    clock: &'static Clock,
    random: Random,
    ending: Ending,
}

thread_local! {
    /// The plan of the static that this thread polls.
    static POLLED: RefCell<Option<Arc<Plan>>> = const { RefCell::new(None) };
}

fn start() -> impl Future<Output = Value> + Send + 'static {
    let plan = POLLED
        .with_borrow(Clone::clone)
        .expect("it is polled by a client");
    compute(plan.site.clone(), plan.clock, plan.random.clone(), plan.ending)
}

impl Static {
    pub(crate) fn new(random: &mut Random, clock: &'static Clock, ending: Ending) -> Option<Self> {
        let mut all = ALL.lock().expect("no thread panics while it holds the lock");
        if all.len() == MOST {
            return None;
        }
        TOTALS.generations_with_a_static.add();
        let room: &'static Room = Box::leak(Box::new(Room::new()));
        // SAFETY: the room is this static's alone.
        let lazy: &'static Lazy = Box::leak(Box::new(unsafe { StaticLazy::__new(room, start) }));
        all.push(lazy);
        let plan = Arc::new(Plan {
            site: Site::new(&Arc::new(Census::default())),
            clock,
            random: random.split(),
            ending,
        });
        Some(Self { lazy, plan })
    }

    /// Returns whether its future does not panic.
    pub(crate) fn has_value(&self) -> bool {
        self.plan.ending == Ending::Success
    }

    pub(crate) fn site(&self) -> &Site {
        &self.plan.site
    }

    pub(crate) async fn get(&self) -> &'static Value {
        Planned {
            get: self.lazy.get(),
            plan: self.plan.clone(),
        }
        .await
    }

    pub(crate) fn get_blocking(&self) -> &'static Value {
        self.plan.clone().in_force(|| self.lazy.get_blocking())
    }
}

impl Plan {
    /// Calls what may start the future.
    fn in_force<R>(self: Arc<Self>, call: impl FnOnce() -> R) -> R {
        let before = POLLED.replace(Some(self));
        let result = catch_unwind(AssertUnwindSafe(call));
        POLLED.set(before);
        result.unwrap_or_else(|payload| std::panic::resume_unwind(payload))
    }
}

/// Polls with the plan in force.
struct Planned<F> {
    get: F,
    plan: Arc<Plan>,
}

impl<F: Future> Future for Planned<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let plan = self.plan.clone();
        // SAFETY: the future is pinned with the whole.
        let get = unsafe { self.map_unchecked_mut(|this| &mut this.get) };
        plan.in_force(|| get.poll(cx))
    }
}
