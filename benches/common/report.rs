//! Reports of all figures: a table, and JSON for scripts.

use super::figure::Measured;
use super::rounds::Samples;
use super::table::{Unit, lay_out, number};

/// What is measured, and where.
pub(crate) struct Report {
    pub(crate) environment: String,
    /// Name and version, where there is one. Ours is the first.
    pub(crate) crates: Vec<(&'static str, Option<String>)>,
    pub(crate) figures: Vec<Measured>,
}

impl Report {
    /// A table in GitHub's markdown, a column for each crate.
    pub(crate) fn markdown(&self) -> String {
        let mut rows = vec![self.header()];
        rows.extend(self.figures.iter().map(|measured| self.row(measured)));
        lay_out(&rows)
    }

    fn header(&self) -> Vec<String> {
        let mut header = vec!["figure".to_owned()];
        header.extend(self.crates.iter().map(|(name, version)| match version {
            Some(version) => format!("{name} {version}"),
            None => (*name).to_owned(),
        }));
        let ratio = format!("{} : best peer", self.crates[0].0);
        header.extend([ratio, "target".to_owned(), "floor".to_owned()]);
        header
    }

    fn row(&self, measured: &Measured) -> Vec<String> {
        let cell = |samples: Option<&Samples>| {
            samples.map_or(String::new(), |samples| {
                number(samples.median(), measured.figure.unit)
            })
        };
        let mut row = vec![measured.figure.name.to_owned()];
        row.extend(self.crates.iter().map(|(name, _)| cell(measured.of(name))));
        row.push(ratio_to_best_peer(measured));
        row.push(verdict(measured));
        row.push(cell(measured.floor.as_ref()));
        row
    }

    /// Returns the figures as JSON, cell by cell, with the noise.
    pub(crate) fn json(&self) -> String {
        let versions = self.crates.iter().map(|(name, version)| {
            let version = version
                .as_ref()
                .map_or("null".to_owned(), |version| quote(version));
            (*name, version)
        });
        let figures = self.figures.iter().map(|measured| self.figure_json(measured));
        let report = [
            ("environment", quote(&self.environment)),
            ("crates", object(versions)),
            ("header", array(self.header())),
            (
                "figures",
                format!("[\n{}\n]", Vec::from_iter(figures).join(",\n")),
            ),
        ];
        object(report) + "\n"
    }

    fn figure_json(&self, measured: &Measured) -> String {
        let crates = self.crates.iter().map(|(name, _)| (*name, measured.of(name)));
        let samples = crates.chain([("floor", measured.floor.as_ref())]);
        let values = samples.filter_map(|(name, samples)| {
            let samples = samples?;
            let quartiles = [1, 2, 3].map(|quarters| json_number(samples.quartile(quarters)));
            Some((name, format!("[{}]", quartiles.join(", "))))
        });
        let unit = match measured.figure.unit {
            Unit::Exact => "exact",
            Unit::Nanoseconds => "ns",
        };
        let (best_peer, theirs) = measured.best_peer();
        object([
            ("name", quote(measured.figure.name)),
            ("row", array(self.row(measured))),
            ("unit", quote(unit)),
            ("quartiles", object(values)),
            ("best_peer", quote(best_peer)),
            ("ratio", json_number(measured.ratio_to(theirs))),
            ("target", quote(&measured.figure.target.to_string())),
            ("met", measured.is_met().to_string()),
        ])
    }
}

fn ratio_to_best_peer(measured: &Measured) -> String {
    let (name, theirs) = measured.best_peer();
    let ratio = measured.ratio_to(theirs);
    // A peer's zero cannot be beaten, and is no measure.
    if ratio.is_finite() {
        format!("{ratio:.2} ({name})")
    } else {
        String::new()
    }
}

fn verdict(measured: &Measured) -> String {
    let judged = number(measured.judged(), measured.figure.unit);
    let verdict = if measured.is_met() { "met" } else { "**missed**" };
    format!("{}: {judged}, {verdict}", measured.figure.target)
}

fn object<'a>(fields: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let fields = fields
        .into_iter()
        .map(|(name, value)| format!("{}: {value}", quote(name)));
    format!("{{{}}}", Vec::from_iter(fields).join(", "))
}

fn array(texts: impl IntoIterator<Item = String>) -> String {
    let texts = texts.into_iter().map(|text| quote(&text));
    format!("[{}]", Vec::from_iter(texts).join(", "))
}

/// Rust's own quoting, which is JSON's for the plain text that occurs here.
fn quote(text: &str) -> String {
    format!("{text:?}")
}

fn json_number(value: f64) -> String {
    if value.is_finite() {
        format!("{value:.4}")
    } else {
        "null".to_owned()
    }
}
