"""A card: a picture with its own background, which reads well on light and on dark pages.

The style follows the reader's scheme. It is scoped, and no line is blank, so that a page or a doc comment can have
the whole file in it. No information is in the color alone.
"""

from html import escape
from textwrap import wrap

WIDTH = 800
MARGIN = 24
TOP = 84  # Where the picture may begin, under the titles.

# What each color is for, in a light and in a dark scheme. The colors of the series (`ours`, and the letters) can be
# distinguished with color blindness, and each series has its own mark. The contrast to the ground is at least 3:1, that
# of text 4.5:1, except for frames.
COLORS = {
    "ground": ("#ffffff", "#0d1117"),
    "edge": ("#d1d9e0", "#3d444d"),
    "text": ("#1f2328", "#f0f6fc"),
    "muted": ("#59636e", "#9198a1"),
    "grid": ("#e4e8ec", "#21262d"),
    "ours": ("#0757b5", "#58a6ff"),
    "tint": ("#ddebfb", "#12233d"),
    "peer": ("#89929b", "#656c76"),
    "a": ("#892c04", "#e07b00"),
    "b": ("#0aa168", "#8be9c0"),
    "c": ("#8c407c", "#e0b0d5"),
    "d": ("#35392f", "#747a72"),
}
SERIES = ["ours", "a", "b", "c", "d"]

SANS = 'system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif'
MONO = 'ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace'

SHAPES = f"""
.oncelot-chart text {{ font: 13px {SANS}; }}
.oncelot-chart .title {{ font-size: 18px; font-weight: 600; }}
.oncelot-chart .strong {{ font-weight: 600; }}
.oncelot-chart .small {{ font-size: 11.5px; }}
.oncelot-chart .code {{ font-family: {MONO}; font-size: 12px; }}
.oncelot-chart .halo {{ paint-order: stroke; stroke-width: 4px; stroke-linejoin: round; }}
.oncelot-chart .line {{ fill: none; stroke-width: 1.75px; stroke-linejoin: round; }}
.oncelot-chart .bold {{ stroke-width: 3.25px; }}
.oncelot-chart .thin {{ stroke-width: 1px; }}
.oncelot-chart .dashed {{ stroke-dasharray: 5 4; }}
"""


def is_ours(crate):
    """Whether to show it as ours."""
    return crate.split()[0] == "oncelot"


class Card:
    """Elements are added from the back to the front; `y` grows downwards."""

    def __init__(self, name, title, subtitle):
        self.name = name
        self._title = title
        self._elements = []
        self.text(MARGIN, 36, title, "fill-text title")
        self.text(MARGIN, 59, subtitle, "fill-muted")

    def text(self, x, y, text, style="fill-text", anchor="start"):
        self._add("text", escape(text, quote=False), x=x, y=y, text_anchor=anchor, style=style)

    def line(self, x1, y1, x2, y2, style):
        self._add("line", x1=x1, y1=y1, x2=x2, y2=y2, style=style)

    def rect(self, x, y, width, height, style, rx=0):
        self._add("rect", x=x, y=y, width=width, height=height, rx=rx, style=style)

    def circle(self, x, y, r, style):
        self._add("circle", cx=x, cy=y, r=r, style=style)

    def path(self, d, style):
        self._add("path", d=d, style=style)

    def polyline(self, points, style):
        self.path("M" + "L".join(f"{_short(x)} {_short(y)}" for x, y in points), style)

    def marker(self, index, x, y):
        """A mark of its own for each series."""
        style = f"fill-{SERIES[index]}"
        if index == 0:
            self.circle(x, y, 5.5, style)
        elif index == 1:
            self.rect(x - 4.5, y - 4.5, 9, 9, style)
        else:
            outline = {
                2: ((0, -6), (5.5, 4), (-5.5, 4)),
                3: ((0, -6), (6, 0), (0, 6), (-6, 0)),
                4: ((-5.5, -4), (5.5, -4), (0, 6)),
            }[index]
            corners = [(x + dx, y + dy) for dx, dy in outline]
            self.path("M" + "L".join(f"{_short(x)} {_short(y)}" for x, y in corners) + "Z", style)

    def render(self, height, notes, description):
        """The file. The notes stand under the picture, which ends at `height`."""
        lines = [line for note in notes for line in wrap(note, 118)]
        for index, line in enumerate(lines):
            self.text(MARGIN, height + 18 + 16 * index, line, "fill-muted small")
        height += 16 * len(lines) + 24

        identity = f"oncelot-{self.name}"
        head = [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="oncelot-chart" width="{WIDTH}" height="{_short(height)}"'
            f' viewBox="0 0 {WIDTH} {_short(height)}" style="max-width:100%;height:auto" role="img"'
            f' aria-labelledby="{identity}-title {identity}-desc">',
            f'<title id="{identity}-title">{escape(self._title, quote=False)}</title>',
            f'<desc id="{identity}-desc">{escape(description, quote=False)}</desc>',
            f"<style>{SHAPES}{_paint(0)}@media (prefers-color-scheme: dark) {{\n{_paint(1)}}}\n</style>",
            f'<rect class="fill-ground stroke-edge thin" x="0.5" y="0.5" width="{WIDTH - 1}"'
            f' height="{_short(height - 1)}" rx="8"/>',
        ]
        return "\n".join([*head, *self._elements, "</svg>\n"])

    def _add(self, tag, content=None, *, style, **attributes):
        texts = [f'class="{style}"']
        for name, value in attributes.items():
            if (name, value) not in [("text_anchor", "start"), ("rx", 0)]:
                value = value if isinstance(value, str) else _short(value)
                texts.append(f'{name.replace("_", "-")}="{value}"')
        end = "/>" if content is None else f">{content}</{tag}>"
        self._elements.append(f"<{tag} {' '.join(texts)}{end}")


def _paint(scheme):
    """The colors of one scheme, as fill and as stroke."""
    rules = []
    for name, colors in COLORS.items():
        rules.append(f".oncelot-chart .fill-{name} {{ fill: {colors[scheme]}; }}")
        rules.append(f".oncelot-chart .stroke-{name} {{ stroke: {colors[scheme]}; }}")
    return "\n".join([*rules, f".oncelot-chart .halo {{ stroke: {COLORS['ground'][scheme]}; }}", ""])


def _short(number):
    """At most two digits after the point."""
    return f"{number:.2f}".rstrip("0").rstrip(".")
