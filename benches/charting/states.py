"""The states of a cell, laid out by hand. What is drawn must be what the diagram of `docs/protocol.md` says."""

import re
from pathlib import Path

from .card import TOP, Card
from .report import Unusable

UNINIT, INITIALIZING, READY, OUTSIDE = "UNINIT", "INITIALIZING", "READY", "[*]"

# Of the diagram: from, to, label.
TRANSITIONS = [
    (OUTSIDE, UNINIT, "new"),
    (OUTSIDE, READY, "const_new_with(value)"),
    (UNINIT, INITIALIZING, "claim (first poll of get_or_init, set, insert)"),
    (INITIALIZING, READY, "publish — wake everybody"),
    (INITIALIZING, UNINIT, "release — wake every claimant (error, panic, drop)"),
    (UNINIT, READY, "get_mut_or_init (&mut self)"),
    (READY, UNINIT, "take (&mut self)"),
    (INITIALIZING, UNINIT, "take (&mut self), after a future was leaked"),
    (INITIALIZING, READY, "get_mut_or_init (&mut self), after a future was leaked"),
    (READY, OUTSIDE, "drop, into_inner"),
]

BOX_TOP = TOP + 84
BOX_BOTTOM = BOX_TOP + 84
MIDDLE = (BOX_TOP + BOX_BOTTOM) / 2
SHARED = "line stroke-ours"
EXCLUSIVE = "line stroke-muted dashed"


def draw(protocol):
    _check(Path(protocol))
    card = Card(
        "states",
        "The states of a cell",
        "Each transition, what makes it, and whom it wakes. Dashed: needs &mut self.",
    )
    _draw_shared(card)
    _draw_exclusive(card)
    _draw_ends(card)
    for state, x, about in [
        (UNINIT, 100, ["no value, no claim"]),
        (INITIALIZING, 400, ["one holds the claim,", "the others wait"]),
        (READY, 700, ["the value is there,", "and only read"]),
    ]:
        _draw_state(card, state, x, about)
    transitions = "; ".join(f"from {_spoken(start)} to {_spoken(end)}: {label}" for start, end, label in TRANSITIONS)
    notes = [
        "A claimant is who waits in get_or_init or insert. A failure does not wake those who merely wait for a value.",
    ]
    return card.render(BOX_BOTTOM + 150, notes, f"{transitions}.")


def _check(protocol):
    text = protocol.read_text(encoding="utf-8")
    found = re.findall(r"^ *(\S+) --> (\S+): (.+)$", text, re.MULTILINE)
    for transition in found:
        if transition not in TRANSITIONS:
            raise Unusable(f"{protocol}: {' '.join(transition)}: not in the picture of the states")
    for transition in TRANSITIONS:
        if transition not in found:
            raise Unusable(f"{protocol}: {' '.join(transition)}: only in the picture of the states")


def _spoken(state):
    return "outside" if state == OUTSIDE else state


def _draw_state(card, name, x, about):
    style = "fill-tint stroke-ours" if name == INITIALIZING else "fill-ground stroke-text"
    card.rect(x - 70, BOX_TOP, 140, BOX_BOTTOM - BOX_TOP, f"{style} line", rx=10)
    y = MIDDLE + 5 - 9 * len(about)
    card.text(x, y, name, "fill-text strong", "middle")
    for index, line in enumerate(about):
        card.text(x, y + 19 + 16 * index, line, "fill-muted small", "middle")


def _draw_shared(card):
    """Through `&self`: the claim, and its two ends."""
    claim, release = MIDDLE - 18, MIDDLE + 18
    _arrow(card, [(170, claim), (330, claim)], SHARED)
    _label(card, 250, claim - 42, ["claim", "first poll of get_or_init,", "set or insert"])
    _arrow(card, [(330, release), (170, release)], SHARED)
    _label(card, 250, release + 20, ["release", "error, panic, drop", "→ wakes every claimant"])
    _arrow(card, [(470, MIDDLE), (630, MIDDLE)], SHARED)
    card.text(550, MIDDLE - 12, "publish", "fill-text strong", "middle")
    card.text(550, MIDDLE + 22, "→ wakes everybody", "fill-ours strong", "middle")


def _draw_exclusive(card):
    over, under, leaked = BOX_TOP - 62, BOX_BOTTOM + 118, BOX_BOTTOM + 66
    _arrow(card, [(150, BOX_TOP), (150, over), (650, over), (650, BOX_TOP)], EXCLUSIVE)
    _label(card, 400, over - 8, ["get_mut_or_init"])
    _arrow(card, [(370, BOX_BOTTOM), (370, leaked), (130, leaked), (130, BOX_BOTTOM)], EXCLUSIVE)
    _label(card, 250, leaked + 18, ["take", "after a future was leaked"])
    _arrow(card, [(430, BOX_BOTTOM), (430, leaked), (640, leaked), (640, BOX_BOTTOM)], EXCLUSIVE)
    _label(card, 535, leaked + 18, ["get_mut_or_init", "after a future was leaked"])
    _arrow(card, [(660, BOX_BOTTOM), (660, under), (70, under), (70, BOX_BOTTOM)], EXCLUSIVE)
    _label(card, 400, under + 18, ["take"])


def _draw_ends(card):
    for x, lines in [(85, ["new"]), (720, ["const_new_with", "(value)"])]:
        card.circle(x, BOX_TOP - 46, 6, "fill-text")
        _arrow(card, [(x, BOX_TOP - 40), (x, BOX_TOP)], "line stroke-text")
        for index, line in enumerate(reversed(lines)):
            card.text(x, BOX_TOP - 59 - 15 * index, line, "fill-text code", "middle")
    _arrow(card, [(725, BOX_BOTTOM), (725, BOX_BOTTOM + 44)], "line stroke-text")
    card.circle(725, BOX_BOTTOM + 52, 8, "line stroke-text")
    card.circle(725, BOX_BOTTOM + 52, 4, "fill-text")
    for index, line in enumerate(["drop,", "into_inner"]):
        card.text(725, BOX_BOTTOM + 78 + 15 * index, line, "fill-text code", "middle")


def _label(card, x, y, lines):
    """The transition's name, its reasons, and whom it wakes."""
    for index, line in enumerate(lines):
        reason = "fill-ours strong" if line.startswith("→") else "fill-muted small"
        card.text(x, y + 16 * index, line, reason if index > 0 else "fill-text strong", "middle")


def _arrow(card, points, style):
    """Along the points, with a head at the last."""
    (x0, y0), (x1, y1) = points[-2:]
    length = abs(x1 - x0) + abs(y1 - y0)
    dx, dy = (x1 - x0) / length, (y1 - y0) / length
    neck = (x1 - 9 * dx, y1 - 9 * dy)
    card.polyline([*points[:-1], neck], style)
    wings = [(neck[0] - 5 * side * dy, neck[1] + 5 * side * dx) for side in (1, -1)]
    stroke = next(word for word in style.split() if word.startswith("stroke-"))
    card.path(
        f"M{x1:g} {y1:g}L{wings[0][0]:g} {wings[0][1]:g}L{wings[1][0]:g} {wings[1][1]:g}Z",
        stroke.replace("stroke-", "fill-"),
    )
