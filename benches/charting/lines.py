"""Lines over the number of waiters, both scales logarithmic, each line named where it ends."""

from math import log10
from typing import NamedTuple

from .card import MARGIN, SERIES, TOP, WIDTH, is_ours
from .report import LIMIT

AXIS = 46  # For the numbers left of the first panel.
NAMES = 172  # For the names at the right of each panel.
HEIGHT = 320
NAME_HEIGHT = 18


class Panel(NamedTuple):
    title: str
    # By the number of waiters.
    samples: dict


def draw(card, crates, panels):
    """Returns where the picture ends. The panels have one scale."""
    scale = _Scale(
        [sample.median for panel in panels for samples in panel.samples.values() for sample in samples.values()]
    )
    width = (WIDTH - 2 * MARGIN - AXIS) / len(panels)
    top = TOP + (34 if panels[0].title else 8)
    for index, panel in enumerate(panels):
        left = MARGIN + AXIS + index * width
        if panel.title:
            card.text(left, TOP + 14, panel.title, "fill-text strong")
        _draw_grid(card, scale, left, left + width - NAMES, top, has_numbers=index == 0)
        _draw_panel(card, crates, panel, scale, left, left + width - NAMES, top)
    return top + HEIGHT + 44


class _Scale:
    """From the last tick below all values to the first one above."""

    def __init__(self, values):
        ticks = [step * 10**power for power in range(-3, 9) for step in (1, 2, 5)]
        low = max(tick for tick in ticks if tick < min(values))
        high = min(tick for tick in ticks if tick > max(values))
        self.ticks = [tick for tick in ticks if low <= tick <= high]

    def y(self, value, top):
        low, high = log10(self.ticks[0]), log10(self.ticks[-1])
        return top + HEIGHT * (high - log10(value)) / (high - low)


def _draw_grid(card, scale, left, right, top, has_numbers):
    for tick in scale.ticks:
        y = scale.y(tick, top)
        card.line(left, y, right, y, "stroke-grid thin")
        if has_numbers:
            card.text(left - 10, y + 4, f"{tick:,g}", "fill-muted small", "end")


def _draw_panel(card, crates, panel, scale, left, right, top):
    counts = list(panel.samples)
    first, last = log10(counts[0]), log10(counts[-1])
    inset = 26
    across = {
        count: left + inset + (right - left - 2 * inset) * (log10(count) - first) / (last - first) for count in counts
    }
    for count, x in across.items():
        card.line(x, top + HEIGHT, x, top + HEIGHT + 5, "stroke-muted thin")
        card.text(x, top + HEIGHT + 20, f"{count:,}", "fill-muted small", "middle")
    card.line(left, top + HEIGHT, right, top + HEIGHT, "stroke-muted thin")
    card.text((left + right) / 2, top + HEIGHT + 37, "waiters", "fill-muted small", "middle")

    def points(name):
        return [(x, scale.y(panel.samples[count][name].median, top)) for count, x in across.items()]

    card.polyline(points(LIMIT), "line stroke-text dashed")
    # Ours is the first, and on top.
    for index, crate in reversed(list(enumerate(crates))):
        bold = " bold" if is_ours(crate) else ""
        card.polyline(points(crate), f"line stroke-{SERIES[index]}{bold}")
        for (x, y), count in zip(points(crate), counts):
            sample = panel.samples[count][crate]
            card.line(x, scale.y(sample.first, top), x, scale.y(sample.third, top), f"stroke-{SERIES[index]} thin")
            card.marker(index, x, y)
            if is_ours(crate) and count != counts[-1]:
                card.text(x, y + 21, sample.text, "fill-ours strong halo", "middle")
    _name_lines(card, crates, panel.samples[counts[-1]], {name: points(name)[-1] for name in [*crates, LIMIT]}, right)


def _name_lines(card, crates, samples, ends, right):
    """The names do not overlap; where one had to move, a thin line leads to it."""
    names = sorted(ends, key=lambda name: ends[name][1])
    for name, y in zip(names, _spread([ends[name][1] for name in names])):
        x, end = ends[name]
        style = "fill-ours strong" if is_ours(name) else "fill-text"
        card.polyline([(x + 9, end), (right - 8, y), (right - 2, y)], "line thin stroke-peer")
        if name == LIMIT:
            card.line(right + 1, y, right + 15, y, "line stroke-text dashed")
        else:
            card.marker(crates.index(name), right + 8, y)
        card.text(right + 20, y + 4.5, f"{name} {samples[name].text}", style)


def _spread(wanted):
    """The places nearest to those wanted, in order, with room for a name between any two.

    Names that would overlap become a block, which stands where its names would stand on average.
    """
    blocks = []
    for y in wanted:
        block = [y]
        while blocks and _first(blocks[-1]) + NAME_HEIGHT * len(blocks[-1]) > _first(block):
            block = blocks.pop() + block
        blocks.append(block)
    return [_first(block) + NAME_HEIGHT * index for block in blocks for index in range(len(block))]


def _first(block):
    return sum(block) / len(block) - NAME_HEIGHT * (len(block) - 1) / 2
