//! Runs the programs as their operators do, and sends requests as their clients do. No test depends on time.
//!
//! An opening is slow because another process has locked the database: this one. While it holds the lock, an opening
//! waits in SQLite.

mod common;

use std::{fs, path::PathBuf, process::Command};

use nix::{sys::stat::Mode, unistd::mkfifo};
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

use self::common::{Client, Server};

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
    a_missing_database_is_unavailable_until_it_is_there
    a_file_that_is_no_database_is_unavailable_until_it_is_replaced
    requests_that_wait_for_an_attempt_share_its_failure
    no_request_waits_for_a_second_attempt
    a_broken_configuration_is_unavailable_until_it_is_mended
    threads_and_tasks_wait_for_one_reading_of_the_configuration
    attempts_are_logged
    open_requests_are_answered_before_the_server_ends
    with_eager_everything_is_opened_before
    with_eager_a_missing_database_ends_it
    wrong_usage_is_explained
}

const PATIENT: &str = r#"{ "name": "Test", "connections": 3, "busy_timeout_ms": 600000 }"#;

/// Logs each wait for an attempt.
const WITH_WAITS: &str = "--log=info,oncelot=trace";

/// A place for a shop's files.
struct Shop {
    directory: TempDir,
}

impl Shop {
    /// With a configuration that has SQLite wait for locks, and no database.
    fn without_database() -> Self {
        let directory = tempfile::tempdir().expect("a directory can be created");
        let shop = Self { directory };
        fs::write(shop.config(), PATIENT).unwrap();
        shop
    }

    fn new() -> Self {
        let shop = Self::without_database();
        shop.make_database();
        shop
    }

    fn config(&self) -> PathBuf {
        self.directory.path().join("shop.json")
    }

    fn database(&self) -> PathBuf {
        self.directory.path().join("shop.sqlite")
    }

    fn make_database(&self) {
        shop::sample::create(&self.database()).expect("a database can be made");
    }

    /// Puts a sound database where something else is.
    fn replace_database(&self) {
        fs::remove_file(self.database()).unwrap();
        self.make_database();
    }

    /// Locks the database for other readers until it is committed or dropped.
    fn lock(&self) -> Connection {
        let connection = Connection::open(self.database()).unwrap();
        connection.execute_batch("BEGIN EXCLUSIVE").unwrap();
        connection
    }

    fn args(&self) -> [PathBuf; 3] {
        ["--config".into(), self.config(), self.database()]
    }

    fn serve(&self, program: &str) -> Server {
        Server::start(program, &self.directory.path().join("log"), self.args())
    }

    fn serve_with(&self, program: &str, option: &str) -> Server {
        let args = [option.into()].into_iter().chain(self.args());
        Server::start(program, &self.directory.path().join("log"), args)
    }
}

impl Server {
    /// Sends requests, each on a connection of its own, and waits until all are being worked on, with those before.
    fn send_all(&self, paths: &[&str]) -> Vec<Client> {
        let before = self.status("/requests/in_flight");
        let clients: Vec<_> = paths.iter().map(|path| self.send(path)).collect();
        self.wait_for("/requests/in_flight", before + clients.len() as u64);
        clients
    }

    /// Goes away, and waits until the server has noticed.
    fn hang_up(&self, clients: Vec<Client>) {
        let before = self.status("/requests/abandoned");
        let count = clients.len() as u64;
        drop(clients);
        self.wait_for("/requests/abandoned", before + count);
    }

    /// Returns how often the pool, or something else, was tried to open, and how that went.
    fn assert_opened(&self, what: &str, started: u64, succeeded: u64, failed: u64) {
        let status = self.get("/status").json();
        let expected = json!({ "started": started, "succeeded": succeeded, "failed": failed });
        assert_eq!(status["openings"][what], expected, "{what}\n{}", self.log());
    }
}

fn assert_statuses(clients: Vec<Client>, expected: u16) {
    for mut client in clients {
        let answer = client.receive().unwrap();
        assert_eq!(answer.status, expected, "{:?}", answer.json());
    }
}

fn assert_unavailable(server: &Server, path: &str, reason: &str) {
    let answer = server.get(path);
    let error = answer.json()["error"].to_string();
    assert_eq!(answer.status, 503, "{error}");
    assert!(error.contains(reason), "no {reason:?} in {error}");
    assert!(answer.head.contains("\r\nretry-after: "), "{}", answer.head);
}

fn requests_are_answered(program: &str) {
    let shop = Shop::new();
    let server = shop.serve(program);
    let about = server.get("/").json();
    assert_eq!(about, json!({ "name": "Test", "currency": "EUR" }));

    let city = server.get("/cities/3").json();
    assert_eq!(
        (&city["name"], &city["country"]),
        (&json!("Bologna"), &json!("Italy"))
    );
    let count = Connection::open(shop.database()).unwrap().query_row(
        "SELECT count(*) FROM orders WHERE city_id = 3",
        [],
        |row| row.get::<_, i64>(0),
    );
    assert_eq!(city["orders"], count.unwrap());

    let sales = server.get("/sales").json();
    assert!(sales.as_array().is_some_and(|sales| !sales.is_empty()), "{sales}");
    assert_eq!(server.get("/cities/1000").status, 404);
    assert_eq!(server.get("/cities/Bologna").status, 400);
    assert_eq!(server.get("/nowhere").status, 404);
}

fn nothing_is_opened_before_the_first_request(program: &str) {
    let shop = Shop::new();
    let server = shop.serve(program);
    server.assert_opened("config", 0, 0, 0);
    assert_eq!(server.get("/").status, 200);
    server.assert_opened("config", 1, 1, 0);
    server.assert_opened("pool", 0, 0, 0);
    assert_eq!(server.get("/cities/1").status, 200);
    server.assert_opened("pool", 1, 1, 0);
    server.assert_opened("sales", 0, 0, 0);
    assert_eq!(server.get("/sales").status, 200);
    server.assert_opened("sales", 1, 1, 0);
}

fn many_requests_open_one_pool(program: &str) {
    let shop = Shop::new();
    let server = shop.serve(program);
    let lock = shop.lock();
    let mut clients = server.send_all(&["/cities/1"; 50]);
    clients.extend(server.send_all(&["/sales"; 50]));
    server.assert_opened("pool", 1, 0, 0);
    drop(lock);
    assert_statuses(clients, 200);
    server.assert_opened("config", 1, 1, 0);
    server.assert_opened("pool", 1, 1, 0);
    server.assert_opened("sales", 1, 1, 0);
}

fn clients_that_go_away_do_not_restart_the_opening(program: &str) {
    let shop = Shop::new();
    let server = shop.serve(program);
    let lock = shop.lock();
    let first = server.send_all(&["/cities/1"]);
    server.wait_for("/openings/pool/started", 1);
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
    let server = shop.serve(program);
    assert_eq!(server.get("/cities/1").status, 200);
    let lock = shop.lock();
    let clients = server.send_all(&["/sales"; 20]);
    server.wait_for("/openings/sales/started", 1);
    server.hang_up(clients);
    server.assert_opened("sales", 1, 0, 0);
    drop(lock);
    // No request asks for the value, and it is computed nevertheless.
    server.wait_for("/openings/sales/succeeded", 1);
    assert_eq!(server.get("/sales").status, 200);
    server.assert_opened("sales", 1, 1, 0);
}

fn a_missing_database_is_unavailable_until_it_is_there(program: &str) {
    let shop = Shop::without_database();
    let server = shop.serve(program);
    let clients = ["/cities/1", "/sales"].repeat(20).into_iter();
    assert_statuses(clients.map(|path| server.send(path)).collect(), 503);
    assert_unavailable(&server, "/cities/1", "No such file");
    assert_unavailable(&server, "/sales", "No such file");
    assert!(!shop.database().exists());
    shop.make_database();
    assert_eq!(server.get("/sales").status, 200);
    assert_eq!(server.get("/cities/1").status, 200);
    assert_eq!(server.status("/openings/pool/succeeded"), 1);
    assert_eq!(server.status("/openings/sales/succeeded"), 1);
}

fn a_file_that_is_no_database_is_unavailable_until_it_is_replaced(program: &str) {
    let shop = Shop::without_database();
    fs::write(shop.database(), "This is not a database. ".repeat(1000)).unwrap();
    let server = shop.serve(program);
    assert_unavailable(&server, "/cities/1", "file is not a database");
    assert_unavailable(&server, "/sales", "file is not a database");
    server.assert_opened("pool", 2, 0, 2);
    shop.replace_database();
    assert_eq!(server.get("/sales").status, 200);
    server.assert_opened("pool", 3, 1, 2);
}

fn requests_that_wait_for_an_attempt_share_its_failure(program: &str) {
    let shop = Shop::new();
    let server = shop.serve_with(program, WITH_WAITS);
    let lock = shop.lock();
    let clients = server.send_all(&["/cities/1", "/sales"].repeat(20));
    // For the pool, 19 requests and the task that computes the cache; for the cache, 19 requests.
    server.wait_for_waits(20 + 19);
    lock.execute_batch("DROP TABLE orders; COMMIT").unwrap();
    assert_statuses(clients, 503);
    server.assert_opened("pool", 1, 0, 1);
    server.assert_opened("sales", 1, 0, 1);
    assert_unavailable(&server, "/sales", "no such table: orders");
    drop(lock);
    shop.replace_database();
    assert_eq!(server.get("/sales").status, 200);
    server.assert_opened("pool", 3, 1, 2);
}

fn no_request_waits_for_a_second_attempt(program: &str) {
    let shop = Shop::new();
    fs::remove_file(shop.config()).unwrap();
    // An attempt lasts until something was written, and a second one would last forever.
    mkfifo(&shop.config(), Mode::S_IRWXU).unwrap();
    let server = shop.serve_with(program, WITH_WAITS);
    let clients = server.send_all(&["/cities/1"; 50]);
    server.wait_for_waits(49);
    fs::write(shop.config(), "{").unwrap();
    assert_statuses(clients, 503);
    server.assert_opened("pool", 1, 0, 1);
}

fn a_broken_configuration_is_unavailable_until_it_is_mended(program: &str) {
    let shop = Shop::new();
    fs::write(shop.config(), "{").unwrap();
    let server = shop.serve(program);
    assert_unavailable(&server, "/", "shop.json");
    assert_unavailable(&server, "/cities/1", "shop.json");
    assert_unavailable(&server, "/sales", "shop.json");
    fs::write(shop.config(), "{}").unwrap();
    assert_eq!(server.get("/sales").status, 200);
    assert_eq!(server.get("/").json()["name"], "The Shop");
    server.assert_opened("config", 4, 1, 3);
    server.assert_opened("pool", 3, 1, 2);
}

fn threads_and_tasks_wait_for_one_reading_of_the_configuration(program: &str) {
    let shop = Shop::new();
    fs::remove_file(shop.config()).unwrap();
    // Reading from it lasts until something was written.
    mkfifo(&shop.config(), Mode::S_IRWXU).unwrap();
    let server = shop.serve(program);
    let clients = server.send_all(&["/", "/cities/1", "/", "/sales", "/cities/2"]);
    server.wait_for("/openings/config/started", 1);
    server.wait_for("/openings/pool/started", 1);
    fs::write(shop.config(), PATIENT).unwrap();
    assert_statuses(clients, 200);
    server.assert_opened("config", 1, 1, 0);
    server.assert_opened("pool", 1, 1, 0);
}

fn attempts_are_logged(program: &str) {
    let shop = Shop::without_database();
    let server = shop.serve_with(program, WITH_WAITS);
    assert_eq!(server.get("/cities/1").status, 503);
    shop.make_database();
    let lock = shop.lock();
    let clients = server.send_all(&["/cities/1", "/cities/2"]);
    server.wait_for_log("waiting");
    drop(lock);
    assert_statuses(clients, 200);
    let log = server.log();
    let mut lines = log.lines();
    for words in [
        &[
            "WARN",
            "initialize{",
            "pool::Pool",
            "attempt=1",
            "the initializer failed",
        ][..],
        &["WARN", "request{", "/cities/1", "cannot open", "shop.sqlite"],
        &["TRACE", "request{", "waiting", "pool::Pool"],
        &["DEBUG", "initialize{", "pool::Pool", "attempt=2", "initialized"],
    ] {
        assert!(
            lines.any(|line| words.iter().all(|word| line.contains(word))),
            "no line with {words:?} after the one before:\n{log}"
        );
    }
}

fn open_requests_are_answered_before_the_server_ends(program: &str) {
    let shop = Shop::new();
    let server = shop.serve(program);
    let lock = shop.lock();
    let clients = server.send_all(&["/cities/1", "/sales"]);
    server.terminate();
    server.wait_until_closed();
    drop(lock);
    assert_statuses(clients, 200);
    assert!(server.ended().success());
}

fn with_eager_everything_is_opened_before(program: &str) {
    let shop = Shop::new();
    let server = shop.serve_with(program, "--eager");
    for what in ["config", "pool", "sales"] {
        server.assert_opened(what, 1, 1, 0);
    }
    assert_eq!(server.get("/").json()["name"], "Test");
    assert_eq!(server.get("/cities/1").status, 200);
    assert_eq!(server.get("/sales").status, 200);
}

fn with_eager_a_missing_database_ends_it(program: &str) {
    let shop = Shop::without_database();
    let output = Command::new(program)
        .arg("--eager")
        .args(shop.args())
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("error: cannot open '"), "{stderr}");
    assert_eq!(output.stdout, b"");
}

fn wrong_usage_is_explained(program: &str) {
    for (args, message) in [
        (&[][..], "missing argument DATABASE"),
        (&["a", "b"], "unexpected argument \"b\""),
        (&["a", "--fast"], "invalid option '--fast'"),
        (&["a", "--listen", "here"], "cannot parse argument \"here\""),
        (&["a", "--log", "oncelot=loud"], "cannot parse argument"),
    ] {
        let output = Command::new(program).args(args).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(message) && stderr.contains("Usage: "), "{stderr}");
    }
}
