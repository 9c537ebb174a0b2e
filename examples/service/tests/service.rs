//! Runs the programs as their operators do, and sends requests as their clients do. No test depends on time.
//!
//! An opening is slow because another process has locked the database: this one. While it holds the lock, an opening
//! waits in SQLite.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::{
        signal::{Signal, kill},
        stat::Mode,
    },
    unistd::{Pid, mkfifo},
};
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

macro_rules! on_tokio_and_smol {
    ($($test:ident)*) => {
        mod tokio {
            $(#[test]
            fn $test() {
                super::$test(env!("CARGO_BIN_EXE_serve-tokio"));
            })*
        }

        mod smol {
            $(#[test]
            fn $test() {
                super::$test(env!("CARGO_BIN_EXE_serve-smol"));
            })*
        }
    };
}

on_tokio_and_smol! {
    requests_are_answered
    nothing_is_opened_before_the_first_request
    many_requests_open_one_pool
    clients_that_go_away_do_not_restart_the_opening
    clients_that_go_away_do_not_throw_the_cache_away
    a_bad_database_is_unavailable_until_it_is_replaced
    requests_that_wait_for_an_attempt_share_its_failure
    a_broken_configuration_is_unavailable_until_it_is_mended
    threads_and_tasks_wait_for_one_reading_of_the_configuration
    attempts_are_logged
    open_requests_are_answered_before_the_server_ends
    with_eager_everything_is_opened_before
    wrong_usage_is_explained
}

/// Has SQLite wait for locks.
const PATIENT: &str = r#"{ "name": "Test", "connections": 3, "busy_timeout_ms": 600000 }"#;

/// Logs each wait for an attempt.
const WITH_WAITS: &str = "--log=info,oncelot=trace";

/// Whatever takes longer hangs.
const HANG: Duration = Duration::from_secs(120);

/// A shop's files: a configuration and the sample database.
struct Shop(TempDir);

impl Shop {
    fn new() -> Self {
        let shop = Self(tempfile::tempdir().expect("a directory can be created"));
        fs::write(shop.config(), PATIENT).unwrap();
        shop.make_database();
        shop
    }

    fn without_database() -> Self {
        let shop = Self::new();
        fs::remove_file(shop.database()).unwrap();
        shop
    }

    fn config(&self) -> PathBuf {
        self.0.path().join("shop.json")
    }

    fn database(&self) -> PathBuf {
        self.0.path().join("shop.sqlite")
    }

    /// Puts a sound database where there is none, or something else.
    fn make_database(&self) {
        let _ = fs::remove_file(self.database());
        let sample = include_str!("../../sqlite/src/sample.sql");
        Connection::open(self.database())
            .unwrap()
            .execute_batch(sample)
            .unwrap();
    }

    /// Locks the database for other readers until it is committed or dropped.
    fn lock(&self) -> Connection {
        let connection = Connection::open(self.database()).unwrap();
        connection.execute_batch("BEGIN EXCLUSIVE").unwrap();
        connection
    }

    fn command(&self, program: &str, options: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(["--listen", "127.0.0.1:0", "--config"])
            .arg(self.config())
            .args(options);
        // A server has several threads; smol's has one by default.
        command.arg(self.database()).env("SMOL_THREADS", "2");
        command
    }

    /// Starts a server, and waits until it listens.
    fn serve(&self, program: &str, options: &[&str]) -> Server {
        let log = self.0.path().join("log");
        let mut process = self
            .command(program, options)
            .stdout(Stdio::piped())
            .stderr(File::create(&log).expect("a file for the log can be created"))
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let mut stdout = BufReader::new(process.stdout.take().expect("it is piped"));
        stdout.read_line(&mut line).expect("the line is text");
        let address = line.trim_end().strip_prefix("listening on http://");
        let address = address.expect("the server prints where it listens").to_owned();
        Server {
            process,
            address,
            log,
        }
    }
}

/// A running server, which is killed when this is dropped.
struct Server {
    process: Child,
    address: String,
    log: PathBuf,
}

impl Server {
    /// Sends a request, and does not wait for the answer.
    fn send(&self, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("the server listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("the server reads");
        stream
    }

    fn get(&self, path: &str) -> Answer {
        Answer::receive(self.send(path))
    }

    /// Sends requests, and waits until the server works on all.
    fn send_all(&self, paths: &[&str]) -> Vec<TcpStream> {
        let expected = self.count("requests started") + paths.len() as u64;
        let clients = paths.iter().map(|path| self.send(path)).collect();
        self.wait_for("requests started", expected);
        clients
    }

    /// Goes away, and waits until the server has noticed.
    fn hang_up(&self, clients: Vec<TcpStream>) {
        let expected = self.count("requests abandoned") + clients.len() as u64;
        drop(clients);
        self.wait_for("requests abandoned", expected);
    }

    fn count(&self, event: &str) -> u64 {
        self.get("/status").json[event].as_u64().unwrap_or(0)
    }

    fn wait_for(&self, event: &str, expected: u64) {
        until(event, || self.count(event) == expected);
    }

    /// Waits until tasks have begun to wait for attempts. The log level must be `trace`.
    fn wait_for_waits(&self, expected: usize) {
        until("waits are logged", || {
            self.log().matches(" waiting ").count() == expected
        });
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("the log is text")
    }

    /// Checks how often the pool, or something else, was tried to open, and how that went.
    #[track_caller]
    fn assert_opened(&self, what: &str, started: u64, succeeded: u64, failed: u64) {
        let counts = ["started", "succeeded", "failed"].map(|event| self.count(&format!("{what} {event}")));
        assert_eq!(counts, [started, succeeded, failed], "{what}\n{}", self.log());
    }

    #[track_caller]
    fn assert_ok(&self, path: &str) {
        assert_statuses(vec![self.send(path)], 200);
    }

    #[track_caller]
    fn assert_unavailable(&self, path: &str, reason: &str) {
        let Answer { status, head, json } = self.get(path);
        let error = json["error"].to_string();
        assert_eq!(status, 503, "{error}");
        assert!(error.contains(reason), "no {reason:?} in {error}");
        assert!(head.contains("\r\nretry-after: "), "{head}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Answer {
    status: u16,
    head: String,
    /// `Null` if the body is not JSON.
    json: Value,
}

impl Answer {
    fn receive(mut client: TcpStream) -> Self {
        client.set_read_timeout(Some(HANG)).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("the server answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("the head ends");
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|line| line.get(..3));
        let status = status.and_then(|code| code.parse().ok());
        Self {
            status: status.expect("the first line has a code"),
            head: head.to_owned(),
            json: serde_json::from_str(body).unwrap_or_default(),
        }
    }
}

#[track_caller]
fn assert_statuses(clients: Vec<TcpStream>, expected: u16) {
    for client in clients {
        let answer = Answer::receive(client);
        assert_eq!(answer.status, expected, "{}", answer.json);
    }
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < HANG, "it never happened: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn requests_are_answered(program: &str) {
    let shop = Shop::without_database();
    let server = shop.serve(program, &["--sample"]);
    let about = server.get("/").json;
    assert_eq!(about, json!({ "name": "Test" }));

    let city = server.get("/cities/3").json;
    let count = "SELECT count(*) FROM orders WHERE city_id = 3";
    let orders: i64 = shop.lock().query_row(count, [], |row| row.get(0)).unwrap();
    let names = (&city["name"], &city["country"], &city["orders"]);
    assert_eq!(names, (&json!("Bologna"), &json!("Italy"), &json!(orders)));

    let sales = server.get("/sales").json;
    assert_eq!(sales.as_array().map(Vec::len), Some(8), "{sales}");
    assert_eq!(server.get("/cities/1000").status, 404);
    assert_eq!(server.get("/cities/Bologna").status, 400);
    assert_eq!(server.get("/nowhere").status, 404);
}

fn nothing_is_opened_before_the_first_request(program: &str) {
    let shop = Shop::new();
    let server = shop.serve(program, &[]);
    for (path, what) in [("/", "config"), ("/cities/1", "pool"), ("/sales", "sales")] {
        server.assert_opened(what, 0, 0, 0);
        server.assert_ok(path);
        server.assert_opened(what, 1, 1, 0);
    }
}

fn many_requests_open_one_pool(program: &str) {
    let shop = Shop::new();
    let server = shop.serve(program, &[]);
    let lock = shop.lock();
    let clients = server.send_all(&["/cities/1", "/sales"].repeat(50));
    server.wait_for("pool started", 1);
    drop(lock);
    assert_statuses(clients, 200);
    for what in ["config", "pool", "sales"] {
        server.assert_opened(what, 1, 1, 0);
    }
}

fn clients_that_go_away_do_not_restart_the_opening(program: &str) {
    let shop = Shop::new();
    let server = shop.serve(program, &[]);
    let lock = shop.lock();
    let first = server.send_all(&["/cities/1"]);
    server.wait_for("pool started", 1);
    server.hang_up(first);
    let mut clients = server.send_all(&["/cities/2"; 40]);
    let rest = clients.split_off(20);
    server.hang_up(clients);
    server.assert_opened("pool", 1, 0, 0);
    drop(lock);
    assert_statuses(rest, 200);
    server.assert_opened("pool", 1, 1, 0);
}

fn clients_that_go_away_do_not_throw_the_cache_away(program: &str) {
    let shop = Shop::new();
    let server = shop.serve(program, &[]);
    server.assert_ok("/cities/1");
    let lock = shop.lock();
    let clients = server.send_all(&["/sales"; 20]);
    server.wait_for("sales started", 1);
    server.hang_up(clients);
    server.assert_opened("sales", 1, 0, 0);
    drop(lock);
    // No request asks for the value, and it is computed nevertheless.
    server.wait_for("sales succeeded", 1);
    server.assert_ok("/sales");
    server.assert_opened("sales", 1, 1, 0);
}

fn a_bad_database_is_unavailable_until_it_is_replaced(program: &str) {
    for (content, reason) in [
        (None, "No such file"),
        (
            Some("This is not a database. ".repeat(1000)),
            "file is not a database",
        ),
    ] {
        let shop = Shop::without_database();
        if let Some(content) = &content {
            fs::write(shop.database(), content).unwrap();
        }
        let server = shop.serve(program, &[]);
        server.assert_unavailable("/cities/1", reason);
        server.assert_unavailable("/sales", reason);
        server.assert_opened("pool", 2, 0, 2);
        let paths = ["/cities/1", "/sales"].repeat(20).into_iter();
        assert_statuses(paths.map(|path| server.send(path)).collect(), 503);
        assert_eq!(fs::read(shop.database()).ok(), content.map(String::into_bytes));
        shop.make_database();
        server.assert_ok("/sales");
        server.assert_ok("/cities/1");
        assert_eq!(server.count("pool succeeded"), 1);
        assert_eq!(server.count("sales succeeded"), 1);
    }
}

fn requests_that_wait_for_an_attempt_share_its_failure(program: &str) {
    let shop = Shop::new();
    let server = shop.serve(program, &[WITH_WAITS]);
    let lock = shop.lock();
    let clients = server.send_all(&["/cities/1", "/sales"].repeat(20));
    // For the pool, 19 requests and the task that computes the cache; for the cache, 19 requests.
    server.wait_for_waits(20 + 19);
    lock.execute_batch("DROP TABLE orders; COMMIT").unwrap();
    assert_statuses(clients, 503);
    server.assert_opened("pool", 1, 0, 1);
    server.assert_opened("sales", 1, 0, 1);
    server.assert_unavailable("/sales", "no such table: orders");
    drop(lock);
    shop.make_database();
    server.assert_ok("/sales");
    server.assert_opened("pool", 3, 1, 2);
}

fn a_broken_configuration_is_unavailable_until_it_is_mended(program: &str) {
    let shop = Shop::new();
    fs::write(shop.config(), "{").unwrap();
    let server = shop.serve(program, &[]);
    for path in ["/", "/cities/1", "/sales"] {
        server.assert_unavailable(path, "shop.json");
    }
    fs::write(shop.config(), "{}").unwrap();
    server.assert_ok("/sales");
    assert_eq!(server.get("/").json["name"], "The Shop");
    server.assert_opened("config", 4, 1, 3);
    server.assert_opened("pool", 3, 1, 2);
}

fn threads_and_tasks_wait_for_one_reading_of_the_configuration(program: &str) {
    let shop = Shop::new();
    // Reading the configuration lasts until something was written to it.
    fs::remove_file(shop.config()).unwrap();
    mkfifo(&shop.config(), Mode::S_IRWXU).unwrap();
    let server = shop.serve(program, &[]);
    let clients = server.send_all(&["/", "/cities/1", "/", "/sales", "/cities/2"]);
    server.wait_for("config started", 1);
    server.wait_for("pool started", 1);
    fs::write(shop.config(), PATIENT).unwrap();
    assert_statuses(clients, 200);
    server.assert_opened("config", 1, 1, 0);
    server.assert_opened("pool", 1, 1, 0);
}

fn attempts_are_logged(program: &str) {
    let shop = Shop::without_database();
    let server = shop.serve(program, &[WITH_WAITS]);
    server.assert_unavailable("/cities/1", "No such file");
    shop.make_database();
    let lock = shop.lock();
    let clients = server.send_all(&["/cities/1", "/cities/2"]);
    server.wait_for_waits(1);
    drop(lock);
    assert_statuses(clients, 200);
    let log = server.log();
    let mut lines = log.lines();
    for words in [
        "WARN initialize{ database::Pool attempt=1 initializer failed",
        "WARN request{ /cities/1 cannot open shop.sqlite",
        "TRACE request{ waiting database::Pool",
        "DEBUG initialize{ database::Pool attempt=2 initialized",
    ] {
        assert!(
            lines.any(|line| words.split(' ').all(|word| line.contains(word))),
            "no line with {words:?} after the one before:\n{log}"
        );
    }
}

fn open_requests_are_answered_before_the_server_ends(program: &str) {
    let shop = Shop::new();
    let mut server = shop.serve(program, &[]);
    let lock = shop.lock();
    let clients = server.send_all(&["/cities/1", "/sales"]);
    let id = server.process.id().try_into().expect("the system has given it");
    kill(Pid::from_raw(id), Signal::SIGTERM).expect("it is our child");
    until("the server is closed", || {
        TcpStream::connect(&server.address).is_err()
    });
    drop(lock);
    assert_statuses(clients, 200);
    assert!(server.process.wait().expect("it is our child").success());
}

fn with_eager_everything_is_opened_before(program: &str) {
    let shop = Shop::without_database();
    let failed = shop.command(program, &["--eager"]).output().unwrap();
    let stderr = String::from_utf8(failed.stderr).unwrap();
    assert_eq!(failed.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("Error: cannot open '"), "{stderr}");
    assert_eq!(failed.stdout, b"");

    shop.make_database();
    let server = shop.serve(program, &["--eager"]);
    for what in ["config", "pool", "sales"] {
        server.assert_opened(what, 1, 1, 0);
    }
    assert_eq!(server.get("/").json["name"], "Test");
    server.assert_ok("/cities/1");
    server.assert_ok("/sales");
}

fn wrong_usage_is_explained(program: &str) {
    for (args, message) in [
        (&[][..], "<DATABASE>"),
        (&["a", "b"], "unexpected argument 'b'"),
        (&["a", "--fast"], "unexpected argument '--fast'"),
        (&["a", "--listen", "here"], "invalid value 'here' for '--listen"),
        (
            &["a", "--log", "oncelot=loud"],
            "invalid value 'oncelot=loud' for '--log",
        ),
    ] {
        let output = Command::new(program).args(args).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(message), "{stderr}");
    }
}
