"""Bars: a row for each crate, and a panel for each figure."""

from typing import NamedTuple

from .card import MARGIN, TOP, WIDTH, is_ours
from .report import LIMIT

NAMES = 126  # Of the crates, left of the panels.
GAP = 26
ROW = 32
BAR = 18
LABEL = 58  # For the number behind the longest bar.


class Panel(NamedTuple):
    title: str
    about: str
    samples: dict


def draw(card, crates, panels, absent=""):
    """Returns where the picture ends. `absent` is why a panel has no sample of a crate."""
    width = (WIDTH - 2 * MARGIN - NAMES - GAP * (len(panels) - 1)) / len(panels)
    rows = TOP + 48
    for index, crate in enumerate(crates):
        style = "fill-ours strong" if is_ours(crate) else "fill-text"
        card.text(MARGIN + NAMES - 12, _middle(rows, index) + 4.5, crate.replace("`", ""), style, "end")
    for index, panel in enumerate(panels):
        _draw_panel(card, crates, panel, MARGIN + NAMES + index * (width + GAP), rows, width, absent)
    end = rows + ROW * len(crates)
    return end + 26 if any(LIMIT in panel.samples for panel in panels) else end + 8


def _draw_panel(card, crates, panel, left, rows, width, absent):
    card.text(left, TOP + 14, panel.title, "fill-text strong")
    card.text(left, TOP + 32, panel.about, "fill-muted small")
    scale = (width - LABEL) / max(sample.third for sample in panel.samples.values())
    bottom = rows + ROW * len(crates)
    for index, crate in enumerate(crates):
        middle = _middle(rows, index)
        sample = panel.samples.get(crate)
        if sample is None:
            limit = panel.samples[LIMIT].median * scale if LIMIT in panel.samples else 0
            card.text(left + limit + 7, middle + 4.5, absent, "fill-muted")
            continue
        card.rect(left, middle - BAR / 2, sample.median * scale, BAR, "fill-ours" if is_ours(crate) else "fill-peer")
        if sample.third > sample.first:
            _draw_whisker(card, left + sample.first * scale, left + sample.third * scale, middle)
        end = left + max(sample.median, sample.third) * scale
        style = "fill-ours strong halo" if is_ours(crate) else "fill-text halo"
        card.text(end + 7, middle + 4.5, sample.text, style)
    card.line(left, rows, left, bottom, "stroke-muted thin")
    if LIMIT in panel.samples:
        limit = panel.samples[LIMIT]
        x = left + limit.median * scale
        card.line(x, rows - 2, x, bottom + 4, "line stroke-text dashed")
        card.text(max(left, x - 5), bottom + 18, f"limit {limit.text}", "fill-text small")


def _draw_whisker(card, first, third, middle):
    card.line(first, middle, third, middle, "stroke-text thin")
    for x in (first, third):
        card.line(x, middle - 4, x, middle + 4, "stroke-text thin")


def _middle(rows, index):
    return rows + ROW * (index + 0.5)
