"""Prints the bench's table in GitHub's markdown, and checks that a document contains it."""

from .report import Unusable


def markdown(report):
    header, *rows = report.rows()
    lines = [header, ["---"] * len(header), *rows]
    return "".join(_line(cells) + "\n" for cells in lines)


def check(report, path):
    """The document has the header's table with these rows, whatever their padding, and names the environment."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    header, *rows = map(_line, report.rows())
    lines = [_line(_cells(line)) if line.startswith("|") else line for line in text.splitlines()]
    if header not in lines:
        raise Unusable(f"{path}: no table with the header {header}")
    start = lines.index(header) + 2
    end = next((at for at in range(start, len(lines)) if not lines[at].startswith("|")), len(lines))
    theirs = lines[start:end]
    for row in theirs:
        if row not in rows:
            raise Unusable(f"{path}: not what the bench has measured: {row}")
    for row in rows:
        if row not in theirs:
            raise Unusable(f"{path}: missing: {row}")
    if theirs != rows:
        raise Unusable(f"{path}: the rows stand in another order, or more than once")
    if " ".join(report.environment.split()) not in " ".join(text.split()):
        raise Unusable(f"{path}: does not say where this was measured: {report.environment}")


def _cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _line(cells):
    return "| " + " | ".join(cells) + " |"
