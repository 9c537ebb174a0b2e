//! Numbers and tables, for people.

use super::rounds::Effort;

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Unit {
    /// Known to the compiler, or counted: the same in every run.
    Exact,
    /// Measured, and subject to noise.
    Nanoseconds,
}

impl Unit {
    /// Returns how long to measure what has this unit.
    pub(crate) fn effort(self, effort: Effort) -> Effort {
        match self {
            Self::Exact => Effort::ONCE,
            Self::Nanoseconds => effort,
        }
    }
}

/// Three significant digits of a measurement, all digits of a count, and one decimal of a share.
pub(crate) fn number(value: f64, unit: Unit) -> String {
    match unit {
        _ if value.is_nan() => "?".to_owned(),
        Unit::Exact => format!("{}", (value * 10.0).round() / 10.0),
        Unit::Nanoseconds if value < 10.0 => format!("{value:.2}"),
        Unit::Nanoseconds if value < 100.0 => format!("{value:.1}"),
        Unit::Nanoseconds => format!("{value:.0}"),
    }
}

/// A table in GitHub's markdown, padded so that it can be read as it is. The first row is the header.
pub(crate) fn lay_out(rows: &[Vec<String>]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<_> = (0..rows[0].len()).map(width).collect();
    let rule: Vec<_> = widths.iter().map(|width| "-".repeat(*width)).collect();

    let mut lines = rows.to_vec();
    lines.insert(1, rule);
    let line = |row: Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!(" {cell:<width$} |"));
        format!("|{}\n", String::from_iter(cells))
    };
    lines.into_iter().map(line).collect()
}
