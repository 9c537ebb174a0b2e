"""Defines the charts, and the figures of the benches that each shows."""

from . import bars, lines
from .card import Card
from .report import Report

# Ours is the first. Not every figure is about all of them: the last computes nothing asynchronously.
CELLS = ["oncelot", "tokio", "async-lock", "async-once-cell", "asyncband", "std OnceLock"]
ASYNC_CELLS = CELLS[:-1]
STATIC = "oncelot `lazy!`"
LAZIES = ["oncelot", "async-once-cell", "futures-util", "asyncband", "async-lazy"]

QUARTILES = "Medians; whiskers are quartiles."


def draw_all(charts):
    """Every file's name and text, from the JSON files in the folder `charts`."""
    peers, lazy = Report(charts / "peers.json"), Report(charts / "lazy.json")
    return {
        "waiters.svg": _waiters(peers),
        "cancel.svg": _cancel(peers),
        "sizes.svg": _sizes(peers),
        "uncontended.svg": _uncontended(peers),
        "lazy.svg": _lazy(lazy),
    }


def _waiters(report):
    card = Card(
        "waiters",
        "Waiting for a value: wait + wake + return",
        "Nanoseconds for each waiter, by how many wait for one cell. Both scales are logarithmic. Lower is better.",
    )
    names = {count: f"wait + wake + return, {count:,} waiters (ns each)" for count in (8, 100, 10_000)}
    samples = {count: report.figure(name, ASYNC_CELLS, has_limit=True) for count, name in names.items()}
    end = lines.draw(card, ASYNC_CELLS, [lines.Panel("", samples)])
    limit = f"Limit: cloning a waker, and waking it, which no implementation can avoid. {QUARTILES}"
    return card.render(end, [limit, *_origin(report, ASYNC_CELLS)], _by_count(samples))


def _cancel(report):
    card = Card(
        "cancel",
        "Giving up: wait + cancel",
        "Nanoseconds for each waiter, by how many wait for one cell. Both scales are logarithmic. Lower is better.",
    )
    panels = []
    for first in ("oldest", "newest"):
        names = {count: f"wait + cancel, {count:,} waiters, {first} first (ns each)" for count in (100, 10_000)}
        samples = {count: report.figure(name, ASYNC_CELLS, has_limit=True) for count, name in names.items()}
        panels.append(lines.Panel(f"the {first} waiter gives up first", samples))
    end = lines.draw(card, ASYNC_CELLS, panels)
    limit = f"Limit: cloning a waker, and dropping it, which no implementation can avoid. {QUARTILES}"
    description = " ".join(f"{panel.title}: {_by_count(panel.samples)}" for panel in panels)
    return card.render(end, [limit, *_origin(report, ASYNC_CELLS)], description)


def _sizes(report):
    card = Card("sizes", "The size of a cell, and of what initializes it", "Bytes. Lower is better.")
    cell = report.figure("bytes of `OnceCell<u64>` beyond the value", CELLS)
    future = report.figure("bytes of the init future beyond an 8-byte initializer", ASYNC_CELLS)
    panels = [
        bars.Panel("OnceCell<u64>", "beyond the value", cell),
        bars.Panel("the future of get_or_init", "beyond an initializer of 8 bytes", future),
    ]
    end = bars.draw(card, CELLS, panels, absent="not asynchronous")
    return card.render(end, _origin(report, CELLS), _by_panel(panels))


def _uncontended(report):
    card = Card("uncontended", "Without waiters", "Nanoseconds. Each panel has a scale of its own. Lower is better.")

    def figure(name):
        return report.figure(name, ASYNC_CELLS, has_limit=True)

    panels = [
        bars.Panel("get_or_init, ready", "one poll", figure("`get_or_init`, ready, one poll (ns)")),
        bars.Panel("new + init + drop", "an initializer that is ready", figure("new + init + drop, uncontended (ns)")),
        bars.Panel("failed init", "an initializer that fails", figure("failed init, uncontended (ns)")),
    ]
    end = bars.draw(card, ASYNC_CELLS, panels)
    limit = (
        "Limit: what no implementation can avoid. That is polling core::future::ready for a ready cell, and two"
        f" compare-and-swaps for an initialization. {QUARTILES}"
    )
    return card.render(end, [limit, *_origin(report, ASYNC_CELLS)], _by_panel(panels))


def _lazy(report):
    card = Card(
        "lazy",
        "Lazy values",
        "Nanoseconds; with waiters, for each of them. Each panel has a scale of its own. Lower is better.",
    )
    ready = report.figure("`get`, ready, one poll (ns)", [*LAZIES, STATIC], has_limit=True)
    uncontended = report.figure("new + compute + drop, uncontended (ns)", LAZIES, has_limit=True)
    waiters = report.figure("wait + wake + return, 100 waiters (ns each)", LAZIES, has_limit=True)
    panels = [
        bars.Panel("get, ready", "one poll", ready),
        bars.Panel("new + compute + drop", "no waiters", uncontended),
        bars.Panel("wait + wake + return", "100 waiters", waiters),
    ]
    rows = ["oncelot", STATIC, *LAZIES[1:]]
    end = bars.draw(card, rows, panels, absent="computed once")
    limit = (
        "Limit: what no implementation can avoid. That is polling core::future::ready; two compare-and-swaps; cloning a waker,"
        f" and waking it. {QUARTILES} A static is computed once in a process."
    )
    return card.render(end, [limit, *_origin(report, LAZIES)], _by_panel(panels))


def _origin(report, crates):
    """Where this was measured, and what."""
    named = [f"{crate} {report.versions[crate]}" if report.versions[crate] else crate for crate in crates]
    return [f"Measured on: {report.environment}.", f"{', '.join(named)}."]


def _by_panel(panels):
    return " ".join(f"{panel.title}, {panel.about}: {_spoken(panel.samples)}." for panel in panels)


def _by_count(samples):
    return " ".join(f"{count:,} waiters: {_spoken(of_count)}." for count, of_count in samples.items())


def _spoken(samples):
    return ", ".join(f"{name.replace('`', '')} {sample.text}" for name, sample in samples.items())
