//! Aligned columns.

use std::io::{self, Write};

/// One entry of a table: numbers are right-aligned, text is left-aligned.
#[derive(Debug)]
pub(crate) struct Cell {
    text: String,
    is_number: bool,
}

impl Cell {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            is_number: false,
        }
    }

    pub(crate) fn number(number: impl ToString) -> Self {
        Self {
            text: number.to_string(),
            is_number: true,
        }
    }
}

/// Writes the rows below the lines of their header, whose entries are aligned as those of the first row.
pub(crate) fn write(out: &mut impl Write, header: &[Vec<String>], rows: &[Vec<Cell>]) -> io::Result<()> {
    let mut lines: Vec<Vec<(&str, bool)>> = Vec::new();
    for line in header {
        let is_number = |column: usize| rows.first().is_some_and(|row| row[column].is_number);
        let entries = line.iter().enumerate();
        lines.push(
            entries
                .map(|(column, text)| (text.as_str(), is_number(column)))
                .collect(),
        );
    }
    for row in rows {
        lines.push(
            row.iter()
                .map(|cell| (cell.text.as_str(), cell.is_number))
                .collect(),
        );
    }

    let mut widths = vec![0; lines.iter().map(Vec::len).max().unwrap_or(0)];
    for line in &lines {
        for (width, (text, _)) in widths.iter_mut().zip(line) {
            *width = text.chars().count().max(*width);
        }
    }
    let rule: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
    lines.insert(
        header.len(),
        rule.iter().map(|dashes| (dashes.as_str(), false)).collect(),
    );

    for line in lines {
        let mut aligned = String::new();
        for ((text, at_right), &width) in line.into_iter().zip(&widths) {
            aligned += &if at_right {
                format!("{text:>width$}  ")
            } else {
                format!("{text:<width$}  ")
            };
        }
        writeln!(out, "{}", aligned.trim_end())?;
    }
    Ok(())
}
