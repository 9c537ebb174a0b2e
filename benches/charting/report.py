"""Reads the output of `cargo bench -- --json PATH`.

Whatever a chart asks for and the file does not have is an `Unusable` that names it.
"""

import json
from pathlib import Path
from typing import NamedTuple

LIMIT = "limit"


class Unusable(Exception):
    """The input lacks something, or has a value that cannot be drawn."""


class Sample(NamedTuple):
    """The median and its noise; `text` is the entry in the bench's table."""

    first: float
    median: float
    third: float
    text: str


class Report:
    def __init__(self, path):
        self._path = Path(path)
        try:
            read = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise Unusable(f"{path}: {error}") from error
        self.environment = self._field(read, "environment", "the report")
        self.versions = self._field(read, "crates", "the report")
        self.header = self._field(read, "header", "the report")
        figures = self._field(read, "figures", "the report")
        self._figures = {self._field(figure, "name", "a figure"): figure for figure in figures}
        for name, figure in self._figures.items():
            if len(self._field(figure, "row", f"figure `{name}`")) != len(self.header):
                raise Unusable(f"{path}: the row of figure `{name}` is not as long as the header")

    def figure(self, name, crates, has_limit=False):
        """The samples of exactly these crates, and of the limit, by name."""
        figure = self._figures.get(name)
        if figure is None:
            raise Unusable(f"{self._path}: no figure `{name}`")
        quartiles = self._field(figure, "quartiles", f"figure `{name}`")
        wanted = [*crates, LIMIT] if has_limit else list(crates)
        for crate in wanted:
            if crate not in quartiles or crate not in [*self.versions, LIMIT]:
                raise Unusable(f"{self._path}: figure `{name}` has no `{crate}`")
        for crate in quartiles:
            if crate not in wanted:
                raise Unusable(f"{self._path}: figure `{name}` has `{crate}`, which no chart knows")
        return {crate: self._sample(name, figure, crate) for crate in wanted}

    def rows(self):
        """The bench's table, cell by cell. The first row is the header."""
        return [self.header, *(figure["row"] for figure in self._figures.values())]

    def _sample(self, name, figure, crate):
        quartiles = figure["quartiles"][crate]
        is_counted = self._field(figure, "unit", f"figure `{name}`") == "exact"
        if len(quartiles) != 3 or None in quartiles or not (is_counted or min(quartiles) > 0):
            raise Unusable(f"{self._path}: figure `{name}` has no numbers for `{crate}`")
        return Sample(*quartiles, text=figure["row"][self._column(crate)])

    def _column(self, crate):
        """Where the table has this crate: after the names of the figures; the limit is the last."""
        return -1 if crate == LIMIT else 1 + list(self.versions).index(crate)

    def _field(self, of, key, what):
        if key not in of:
            raise Unusable(f"{self._path}: {what} has no `{key}`")
        return of[key]
