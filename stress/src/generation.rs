//! A generation: some cells and their clients, from creation to the last drop.

use std::{
    any::type_name,
    fmt,
    pin::Pin,
    process::abort,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use oncelot::{Backend, Lazy, OnceCell};

use crate::{
    blocking,
    census::Census,
    client::{self, Client, Deed},
    crews::{Crews, Job},
    initializer::{Boxed, Ending, compute},
    polls::Nomad,
    random::Random,
    site::{Site, Value},
    statics::Static,
    totals::TOTALS,
};

/// How many cells a generation has.
pub(crate) const CELLS: usize = 4;

/// How long a generation may take at most. It takes some milliseconds; this is for sanitizers on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A backend that can be put under stress.
pub(crate) trait Stressed: Backend<Waiter: Send> + Send + Sync + fmt::Debug + 'static {}

impl<B: Backend<Waiter: Send> + Send + Sync + fmt::Debug + 'static> Stressed for B {}

type Cell<B> = OnceCell<Value, B>;

pub(crate) struct Generation<B: Stressed> {
    crews: &'static Crews,
    cells: [(Arc<Cell<B>>, Arc<Site>); CELLS],
    pub(crate) lazy: LazyValue<B>,
    pub(crate) a_static: Option<Static>,
    clients: Clients,
}

/// A `Lazy`, and what it is to do.
pub(crate) struct LazyValue<B: Stressed> {
    pub(crate) lazy: Pin<Box<Lazy<Value, Boxed<Value>, B>>>,
    pub(crate) site: Arc<Site>,
    /// Whether its future does not panic.
    pub(crate) has_value: bool,
}

/// Who is still at it.
struct Clients {
    deeds: Vec<AtomicU8>,
    left: Mutex<usize>,
    all_gone: Condvar,
}

impl<B: Stressed> Generation<B> {
    fn new(crews: &'static Crews, clients: usize, census: &Arc<Census>, random: &mut Random) -> Arc<Self> {
        let mut ending = || match random.one_in(8) {
            true => Ending::Panic,
            false => Ending::Success,
        };
        let (of_lazy, of_static) = (ending(), ending());
        let lazy_site = Site::new(census);
        let computation = compute(lazy_site.clone(), &crews.clock, random.split(), of_lazy);
        Arc::new(Self {
            crews,
            cells: [(); CELLS].map(|()| (Arc::new(OnceCell::with_backend()), Site::new(census))),
            lazy: LazyValue {
                lazy: Box::pin(Lazy::with_backend(Box::pin(computation))),
                site: lazy_site,
                has_value: of_lazy == Ending::Success,
            },
            a_static: match random.one_in(4) {
                true => Static::new(random, &crews.clock, of_static),
                false => None,
            },
            clients: Clients {
                deeds: (0..clients).map(|_| AtomicU8::new(0)).collect(),
                left: Mutex::new(clients),
                all_gone: Condvar::new(),
            },
        })
    }

    pub(crate) fn crews(&self) -> &'static Crews {
        self.crews
    }

    /// Returns one of the cells, whose handle can spawn an initializer.
    pub(crate) fn cell(&self, number: usize) -> &Arc<Cell<B>> {
        &self.cells[number].0
    }

    pub(crate) fn site(&self, number: usize) -> &Arc<Site> {
        &self.cells[number].1
    }

    /// Sends out all clients.
    fn begin(self: &Arc<Self>, random: &mut Random) {
        for index in 0..self.clients.deeds.len() {
            TOTALS.clients.add();
            let client = Client::new(self.clone(), index, random.split());
            // The first clients fill each cell: no other client's thread blocks them.
            match random.below(8) {
                0 if index >= CELLS => self.crews.run_blocking(Box::new(move || blocking::run(client))),
                1 if index >= CELLS => self.crews.run_on_a_thread(Box::pin(client::run(client, true))),
                2..5 => self
                    .crews
                    .run_on_an_executor(Box::pin(client::run(client, true)), random),
                _ => {
                    let job: Job = Box::pin(client::run(client, false));
                    let job = Nomad::new(job, random.split(), self.crews);
                    self.crews.run_on_an_executor(Box::pin(job), random);
                }
            }
        }
    }

    /// Waits for all clients, and sees that all have done what they should.
    fn end(&self) {
        let left = self
            .clients
            .left
            .lock()
            .expect("no thread panics while it holds the lock");
        let waited = (self.clients.all_gone).wait_timeout_while(left, PATIENCE, |left| *left > 0);
        let (left, timeout) = waited.expect("no thread panics while it holds the lock");
        drop(left);
        if timeout.timed_out() {
            give_up(&format_args!("{self:#?}"));
        }
        for (cell, site) in &self.cells {
            site.inspect(cell.get().expect("all have got a value"));
            site.close(true);
        }
        self.lazy.site.close(self.lazy.has_value);
        if let Some(a_static) = &self.a_static {
            a_static.site().close(a_static.has_value());
            a_static.site().census().is_over();
        }
    }

    pub(crate) fn note(&self, index: usize, deed: Deed) {
        self.clients.deeds[index].store(deed as u8, Relaxed);
    }

    /// A client has ended.
    pub(crate) fn leave(&self, index: usize) {
        self.note(index, Deed::Nothing);
        let mut left = self
            .clients
            .left
            .lock()
            .expect("no thread panics while it holds the lock");
        *left -= 1;
        if *left == 0 {
            self.clients.all_gone.notify_one();
        }
    }
}

impl<B: Stressed> fmt::Debug for Generation<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let deeds = self
            .clients
            .deeds
            .iter()
            .map(|deed| deed.load(Relaxed))
            .enumerate();
        let deeds = deeds.filter_map(|(index, deed)| Some((index, Deed::of(deed)?)));
        let clients: Vec<_> = deeds.filter(|(_, deed)| *deed != Deed::Nothing).collect();
        f.debug_struct("Generation")
            .field("backend", &type_name::<B>())
            .field("cells", &self.cells)
            .field("lazy", &(&self.lazy.lazy, &self.lazy.site, self.lazy.has_value))
            .field("a_static", &self.a_static)
            .field("clients", &clients)
            .field("crews", &self.crews)
            .finish()
    }
}

fn give_up(what: &dyn fmt::Display) -> ! {
    eprintln!(
        "for {} s, nothing more has come of\n{what}\n{TOTALS}",
        PATIENCE.as_secs()
    );
    abort()
}

/// Plays one generation after the other, with up to so many clients.
pub(crate) fn direct<B: Stressed>(crews: &'static Crews, seed: u64, most_clients: u64, until: Instant) {
    let mut random = Random::new(seed);
    while Instant::now() < until {
        TOTALS.generations.add();
        let clients = CELLS + random.below(most_clients - CELLS as u64 + 1) as usize;
        let census = Arc::new(Census::default());
        let generation = Generation::<B>::new(crews, clients, &census, &mut random);
        generation.begin(&mut random);
        generation.end();
        drop(generation);
        // What clients have started, and left behind, may take a moment longer.
        let last = Instant::now() + PATIENCE;
        while !census.is_over() {
            if Instant::now() > last {
                give_up(&format_args!("{census:?} of {}", type_name::<B>()));
            }
            thread::sleep(Duration::from_micros(100));
        }
    }
}
