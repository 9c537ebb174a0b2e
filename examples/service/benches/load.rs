//! The cost of the cells under load: the service that opens lazily, compared with one that opens everything before
//! serving and has no cell. Linux only, for the CPU time of the servers.
//!
//! Each server is a new process in every round, as processes differ by chance. The servers take turns: lazy, eager,
//! eager, lazy, and in the next round in the reverse order. So other load on the machine affects both.
//!
//! ```text
//! cargo bench --manifest-path examples/service/Cargo.toml
//! cargo bench --manifest-path examples/service/Cargo.toml -- --quick
//! ```

#[path = "../tests/common/mod.rs"]
mod common;

use std::{
    env,
    ffi::OsStr,
    path::Path,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use self::common::{Client, Server};

const PROGRAMS: [(&str, &str); 2] = [
    ("tokio", env!("CARGO_BIN_EXE_serve-tokio")),
    ("smol", env!("CARGO_BIN_EXE_serve-smol")),
];

/// A query through the pool, and the cache, which is nothing but the cell.
const PATHS: [&str; 2] = ["/cities/7", "/sales"];

const WARM_UP: Duration = Duration::from_millis(20);

/// Connections, each with one request at a time.
const CLIENTS: usize = 8;

struct Plan {
    rounds: usize,
    /// Of which each server has two in a round, for each path.
    turn: Duration,
}

const FULL: Plan = Plan {
    rounds: 25,
    turn: Duration::from_millis(100),
};

const QUICK: Plan = Plan {
    rounds: 3,
    turn: Duration::from_millis(20),
};

/// What one server does in one turn.
struct Turn {
    answered_per_second: f64,
    /// Of the server, in all its threads. What else the machine does changes this the least.
    cpu_micros_per_request: f64,
}

/// The same figure in each round.
#[derive(Default)]
struct Compared {
    lazy: Vec<f64>,
    eager: Vec<f64>,
    ratio: Vec<f64>,
}

struct Comparison {
    runtime: &'static str,
    program: &'static str,
    path: &'static str,
    throughput: Compared,
    cpu: Compared,
}

fn main() {
    let is_quick = env::args().any(|arg| arg == "--quick");
    let Plan { rounds, turn } = if is_quick { QUICK } else { FULL };
    let directory = tempfile::tempdir().expect("a directory can be created");
    let database = directory.path().join("shop.sqlite");
    shop::sample::create(&database).expect("a database can be made");

    let mut comparisons = Vec::new();
    for (runtime, program) in PROGRAMS {
        comparisons.extend(PATHS.map(|path| Comparison {
            runtime,
            program,
            path,
            throughput: Compared::default(),
            cpu: Compared::default(),
        }));
    }
    for round in 0..rounds {
        for comparison in &mut comparisons {
            comparison.run(&database, turn, round % 2 == 0);
        }
    }

    println!("{CLIENTS} connections; medians of {rounds} rounds of two turns of {turn:?}, and quartiles\n");
    println!("| runtime | request | | lazy | eager | lazy : eager in a round |");
    println!("|---|---|---|---|---|---|");
    for comparison in comparisons {
        let Comparison { runtime, path, .. } = comparison;
        let figures = [
            ("answers/s", comparison.throughput, 0),
            ("CPU time of an answer (µs)", comparison.cpu, 2),
        ];
        for (name, Compared { lazy, eager, ratio }, digits) in figures {
            let (lazy, eager) = (quantile(&lazy, 0.5), quantile(&eager, 0.5));
            let [low, median, high] = [0.25, 0.5, 0.75].map(|share| quantile(&ratio, share));
            println!(
                "| {runtime} | `{path}` | {name} | {lazy:.digits$} | {eager:.digits$} \
                 | {median:.3} ({low:.3} to {high:.3}) |"
            );
        }
    }
}

impl Comparison {
    /// Runs one round.
    fn run(&mut self, database: &Path, turn: Duration, is_lazy_first: bool) {
        let mut servers = [
            start(self.program, self.path, &[database.as_os_str()]),
            start(
                self.program,
                self.path,
                &["--eager".as_ref(), database.as_os_str()],
            ),
        ];
        if !is_lazy_first {
            servers.reverse();
        }
        let [a, b] = &servers;
        let [a, b, b_again, a_again] = [a, b, b, a].map(|server| load(server, self.path, turn));
        let mut means = [a.mean(a_again), b.mean(b_again)];
        if !is_lazy_first {
            means.reverse();
        }
        let [lazy, eager] = means;
        self.throughput
            .push(lazy.answered_per_second, eager.answered_per_second);
        self.cpu
            .push(lazy.cpu_micros_per_request, eager.cpu_micros_per_request);
    }
}

impl Compared {
    fn push(&mut self, lazy: f64, eager: f64) {
        self.lazy.push(lazy);
        self.eager.push(eager);
        self.ratio.push(lazy / eager);
    }
}

impl Turn {
    fn mean(self, other: Self) -> Self {
        Self {
            answered_per_second: f64::midpoint(self.answered_per_second, other.answered_per_second),
            cpu_micros_per_request: f64::midpoint(self.cpu_micros_per_request, other.cpu_micros_per_request),
        }
    }
}

/// Starts a server, and has it ready for what will be asked.
fn start(program: &str, path: &str, args: &[&OsStr]) -> Server {
    let server = Server::start(
        program,
        Path::new("/dev/null"),
        ["--log=off".as_ref()].iter().chain(args),
    );
    load(&server, path, WARM_UP);
    server
}

/// Asks for `turn` as fast as the server answers.
fn load(server: &Server, path: &str, turn: Duration) -> Turn {
    let ready = Barrier::new(CLIENTS);
    let client = || {
        let mut client = Client::connect(server.address).expect("the server listens");
        ready.wait();
        let started = Instant::now();
        let mut answered = 0;
        while started.elapsed() < turn {
            client.send(path).expect("the server reads");
            assert_eq!(client.receive().expect("the server answers").status, 200);
            answered += 1;
        }
        answered
    };
    let (started, cpu_before) = (Instant::now(), server.cpu_time());
    let answered: u32 = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        let answered = clients
            .into_iter()
            .map(|client| client.join().expect("no client panics"));
        answered.sum()
    });
    let (elapsed, cpu) = (started.elapsed(), server.cpu_time() - cpu_before);
    Turn {
        answered_per_second: f64::from(answered) / elapsed.as_secs_f64(),
        cpu_micros_per_request: cpu.as_secs_f64() * 1e6 / f64::from(answered),
    }
}

fn quantile(figures: &[f64], share: f64) -> f64 {
    let mut figures = figures.to_vec();
    figures.sort_by(f64::total_cmp);
    let last = figures.len() - 1;
    let place = share * last as f64;
    let (below, above) = (figures[place.floor() as usize], figures[place.ceil() as usize]);
    below + (above - below) * place.fract()
}
