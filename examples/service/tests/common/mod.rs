//! Runs a program of the service, and sends requests to it.

#![allow(dead_code, reason = "the tests and the benchmark each use some of it")]

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    time::{clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};
use serde_json::Value;

/// Whatever takes longer hangs.
const HANG: Duration = Duration::from_secs(120);

/// A running server, which is killed when this is dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
    log: PathBuf,
}

impl Server {
    /// Starts one on a free port, and waits until it listens. What it logs goes to the file `log`.
    pub(crate) fn start<S: AsRef<OsStr>>(
        program: &str,
        log: &Path,
        args: impl IntoIterator<Item = S>,
    ) -> Self {
        let mut process = Command::new(program)
            .args(["--listen", "127.0.0.1:0"])
            .args(args)
            // A server has several threads; smol's has one by default.
            .env("SMOL_THREADS", "2")
            .stdout(Stdio::piped())
            .stderr(File::create(log).expect("a file for the log can be created"))
            .spawn()
            .expect("the program starts");
        let stdout = process.stdout.take().expect("it is piped");
        // Killed if it does not listen.
        let mut server = Self {
            process,
            address: SocketAddr::from(([0, 0, 0, 0], 0)),
            log: log.to_path_buf(),
        };
        let (sender, line) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            sender.send(BufReader::new(stdout).read_line(&mut line).map(|_| line))
        });
        let line = line
            .recv_timeout(HANG)
            .expect("the server prints a line")
            .unwrap();
        let address = line.trim_end().strip_prefix("listening on http://");
        server.address = address
            .and_then(|address| address.parse().ok())
            .unwrap_or_else(|| panic!("no address in {line:?}:\n{}", server.log()));
        server
    }

    /// Sends a request on a connection of its own, and does not wait for the answer.
    pub(crate) fn send(&self, path: &str) -> Client {
        let mut client = Client::connect(self.address).expect("the server listens");
        client.send(path).expect("the server reads");
        client
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send(path).receive().expect("the server answers")
    }

    /// A figure of `/status`.
    pub(crate) fn status(&self, pointer: &str) -> u64 {
        let status = self.get("/status").json();
        let figure = status.pointer(pointer).and_then(Value::as_u64);
        figure.unwrap_or_else(|| panic!("no {pointer} in {status}"))
    }

    /// Waits until a figure of `/status` is `expected`.
    pub(crate) fn wait_for(&self, pointer: &str, expected: u64) {
        until(&format!("{pointer} is {expected}"), || {
            (self.status(pointer) == expected).then_some(())
        });
    }

    /// Waits until something was logged.
    pub(crate) fn wait_for_log(&self, text: &str) {
        until(&format!("{text:?} is logged"), || {
            self.log().contains(text).then_some(())
        });
    }

    /// Waits until tasks have begun to wait for attempts, as many as `expected`. The log level must be `trace`.
    pub(crate) fn wait_for_waits(&self, expected: usize) {
        let mut waits = 0;
        until(&format!("{expected} waits are logged"), || {
            waits = self
                .log()
                .lines()
                .filter(|line| line.contains(" waiting "))
                .count();
            (waits == expected).then_some(())
        });
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("the log is text")
    }

    /// The CPU time of all its threads.
    pub(crate) fn cpu_time(&self) -> Duration {
        let clock = clock_getcpuclockid(self.pid()).expect("it is our child");
        clock_gettime(clock).expect("it is a clock").into()
    }

    /// Asks it to end, as an operator does.
    pub(crate) fn terminate(&self) {
        kill(self.pid(), Signal::SIGTERM).expect("it is our child");
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.process.id().try_into().expect("the system has given it"))
    }

    /// Waits until the server accepts no more connections.
    pub(crate) fn wait_until_closed(&self) {
        until("the server takes no connections", || {
            TcpStream::connect(self.address).err()
        });
    }

    /// Waits until it has ended.
    pub(crate) fn ended(mut self) -> ExitStatus {
        until("the server has ended", || {
            self.process.try_wait().expect("it is our child")
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(started.elapsed() < HANG, "it never happened that {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A connection, which is kept alive between requests.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(HANG))?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    pub(crate) fn send(&mut self, path: &str) -> io::Result<()> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: shop\r\n\r\n");
        self.stream.get_mut().write_all(request.as_bytes())
    }

    pub(crate) fn receive(&mut self) -> io::Result<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.stream.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        let mut lines = head.lines();
        let length = lines.find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let (Some(status), Some(length)) = (status, length) else {
            return Err(io::Error::other(format!("not the head of an answer: {head}")));
        };
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(Answer { status, head, body })
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the answer is JSON")
    }
}
