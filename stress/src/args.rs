//! The command line.

use std::time::{Duration, SystemTime};

#[derive(Debug)]
pub(crate) struct Args {
    /// How long new generations are begun.
    pub(crate) seconds: Duration,
    pub(crate) seed: u64,
}

const USAGE: &str = "usage: oncelot-stress [--seconds N] [--seed S]";

impl Args {
    pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut parsed = Self {
            seconds: Duration::from_secs(10),
            seed: seed_of_now(),
        };
        while let Some(name) = args.next() {
            let mut number = || -> Result<u64, String> {
                let value = args
                    .next()
                    .ok_or_else(|| format!("{name} needs a number\n{USAGE}"))?;
                (value.parse()).map_err(|error| format!("{name} {value}: {error}\n{USAGE}"))
            };
            match name.as_str() {
                "--seconds" => parsed.seconds = Duration::from_secs(number()?),
                "--seed" => parsed.seed = number()?,
                _ => return Err(format!("{name} is unknown\n{USAGE}")),
            }
        }
        Ok(parsed)
    }
}

fn seed_of_now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}
