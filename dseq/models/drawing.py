"""Diagrams drawn without any other program: as SVG, and as plain text."""

import html
from collections import Counter

from dseq.models.layered import Layered

# SVG, in pixels.
LETTER, LINE, PADDING = 8, 20, 12
GAP, BETWEEN = 24, 44
FONT = "Helvetica, Arial, sans-serif"


def svg(diagram, rankdir="TB") -> str:
    """A diagram as SVG.

    Args:
        diagram: A `Diagram`.
        rankdir: `"TB"`, `"LR"`, `"BT"` or `"RL"`.
    """
    sizes = [
        (LETTER * max(map(len, box.lines)) + 2 * PADDING, LINE * len(box.lines) + PADDING) for box in diagram.boxes
    ]
    upright = rankdir in ("TB", "BT")
    across = [size[0] if upright else size[1] for size in sizes]
    along = [size[1] if upright else size[0] for size in sizes]
    layout = Layered(across, diagram.arrows, GAP, GAP, [box.groups for box in diagram.boxes])
    starts, length = [], GAP
    deepest = [max([along[n] for n in row if n < len(sizes)], default=0) for row in layout.rows]
    for depth in deepest:
        starts.append(length)
        length += depth + BETWEEN
    length += GAP - BETWEEN

    def place(x, y):  # from (across, along) to the page
        y = length - y if rankdir in ("BT", "RL") else y
        x += GAP
        return (x, y) if upright else (y, x)

    def corner(number):
        x, y = layout.left[number], starts[layout.depth[number]]
        a, b = place(x, y), place(x + across[number], y + along[number])
        return min(a[0], b[0]), min(a[1], b[1])

    parts = [_frame_svg(diagram, g, corner, sizes) for g in range(len(diagram.groups))]
    for source, target in layout.links:
        parts.append(_arrow_svg(layout, source, target, along, starts, deepest, place))
    for box, size in zip(diagram.boxes, sizes, strict=True):
        parts.append(_box_svg(box, corner(box.number), size))
    page = layout.width + 2 * GAP, length
    width, height = page if upright else page[::-1]
    head = '<marker id="tip" markerWidth="9" markerHeight="7" refX="9" refY="3.5" orient="auto">'
    defs = f'<defs>{head}<path d="M0,0 L9,3.5 L0,7 z"/></marker></defs>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="{FONT}" font-size="14">\n{defs}\n'
        f'<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(filter(None, parts)) + "\n</svg>\n"
    )


def _frame_svg(diagram, group, corner, sizes):
    """The dashed frame around a model inside; none if its layers are drawn elsewhere."""
    inside = [box for box in diagram.boxes if group in box.groups]
    if not inside:
        return ""
    levels = max(len(box.groups) - box.groups.index(group) for box in inside)
    margin, name = 4 + 3 * levels, html.escape(diagram.groups[group][0])
    corners = [(corner(box.number), sizes[box.number]) for box in inside]
    left, top = min(x for (x, _), _ in corners) - margin, min(y for (_, y), _ in corners) - margin - 10
    right = max(x + w for (x, _), (w, _) in corners) + margin
    bottom = max(y + h for (_, y), (_, h) in corners) + margin
    return (
        f'<rect x="{left}" y="{top}" width="{right - left}" height="{bottom - top}" fill="none" stroke="gray" '
        f'stroke-dasharray="5,4"/><text x="{left + 4}" y="{top + 10}" font-size="11" fill="gray">{name}</text>'
    )


def _arrow_svg(layout, source, target, along, starts, deepest, place):
    """A curve from the end of one layer to the beginning of the next; through waypoints it goes straight."""
    row, below = layout.depth[source], layout.depth[target]
    x0 = layout.left[source] + layout.widths[source] / 2
    x1 = layout.left[target] + layout.widths[target] / 2
    y0, y1 = starts[row] + (along[source] if source < layout.boxes else deepest[row]), starts[below]
    middle, tip = (y0 + y1) / 2, ' marker-end="url(#tip)"' if target < layout.boxes else ""
    points = [place(x0, y0), place(x0, middle), place(x1, middle), place(x1, y1)]
    a, b, c, d = (f"{x:g},{y:g}" for x, y in points)
    path = f"M{a} C{b} {c} {d}"
    if target >= layout.boxes:
        x, y = place(x1, starts[below] + deepest[below])
        path += f" L{x:g},{y:g}"
    return f'<path d="{path}" fill="none" stroke="black"{tip}/>'


def _box_svg(box, corner, size):
    (x, y), (width, height) = corner, size
    lines = [f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="white" stroke="black"/>']
    lines.append(f'<rect x="{x}" y="{y}" width="{width}" height="{LINE + PADDING // 2}" fill="black"/>')
    for i, text in enumerate(box.lines):
        style = ' fill="white" font-weight="bold"' if i == 0 else ""
        if box.trainable is not None and i == len(box.lines) - 1:
            style = f' fill="{"forestgreen" if box.trainable else "firebrick"}"'
        lines.append(
            f'<text x="{x + width / 2:g}" y="{y + LINE * (i + 1) - 2}" text-anchor="middle"{style}>'
            f"{html.escape(text)}</text>"
        )
    return "\n".join(lines)


# Plain text, in letters.

UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
STROKES = {
    UP: "│", DOWN: "│", UP | DOWN: "│", LEFT: "─", RIGHT: "─", LEFT | RIGHT: "─", UP | RIGHT: "└", UP | LEFT: "┘",
    DOWN | RIGHT: "┌", DOWN | LEFT: "┐", UP | DOWN | RIGHT: "├", UP | DOWN | LEFT: "┤", LEFT | RIGHT | DOWN: "┬",
    LEFT | RIGHT | UP: "┴", UP | DOWN | LEFT | RIGHT: "┼",
}  # fmt: skip


class _Page:
    """Letters by row and column, and lines of several nets that may cross."""

    def __init__(self):
        self.letters, self.lines = {}, {}

    def write(self, row, column, text):
        for i, letter in enumerate(text):
            self.letters[row, column + i] = letter

    def line(self, net, row, column, to_row, to_column):
        """A straight line of a net between two places, ends included."""
        if row == to_row:
            first, last, back, on = min(column, to_column), max(column, to_column), LEFT, RIGHT
            cells = [(row, c) for c in range(first, last + 1)]
        else:
            back, on = UP, DOWN
            cells = [(r, column) for r in range(min(row, to_row), max(row, to_row) + 1)]
        for i, cell in enumerate(cells):
            strokes = (back if i else 0) | (on if i < len(cells) - 1 else 0)
            nets = self.lines.setdefault(cell, {})
            nets[net] = nets.get(net, 0) | strokes

    def text(self):
        letters = dict(self.letters)
        for cell, nets in self.lines.items():
            if cell not in letters:  # where two nets cross, one passes over the other
                letters[cell] = "│" if len(nets) > 1 else STROKES.get(*nets.values(), "│")
        rows = [[] for _ in range(max((row for row, _ in letters), default=-1) + 1)]
        for (row, column), letter in sorted(letters.items()):
            rows[row].extend(" " * (column - len(rows[row])))
            rows[row].append(letter)
        return "\n".join("".join(row).rstrip() for row in rows) + "\n"


def text(diagram) -> str:
    """A diagram as plain text, from top to bottom; layers of a model inside have its name before their own.

    Args:
        diagram: A `Diagram`.
    """
    contents = []
    for box in diagram.boxes:
        inside = "".join(f"{diagram.groups[g][0]} > " for g in box.groups)
        contents.append([" ".join(line.split()) for line in (inside + box.lines[0], *box.lines[1:])])
    arriving = Counter(target for _, target in diagram.arrows)
    # Wide enough for a column of its own for each arrow that arrives, beside those that pass above.
    widths = [max([*map(len, lines), 2 * arriving[i]]) + 4 for i, lines in enumerate(contents)]
    layout = Layered(widths, diagram.arrows, 2, 3, [box.groups for box in diagram.boxes])
    page, row, columns = _Page(), 0, {}
    for depth, members in enumerate(layout.rows):
        height = max([len(contents[n]) + 2 for n in members if n < layout.boxes], default=1)
        for number in members:
            if number >= layout.boxes:
                page.line(columns[number][0], row - 1, columns[number][1], row + height, columns[number][1])
            else:
                _box_text(page, row, layout.left[number], widths[number], contents[number])
        links = [(s, t) for s, t in layout.links if layout.depth[s] == depth]
        row = _gutter(page, layout, links, contents, columns, row, height)
    return page.text()


def _box_text(page, row, left, width, lines):
    page.write(row, left, "┌" + "─" * (width - 2) + "┐")
    for i, line in enumerate(lines):
        page.write(row + 1 + i, left, "│" + line.center(width - 2) + "│")
    page.write(row + 1 + len(lines), left, "└" + "─" * (width - 2) + "┘")


def _gutter(page, layout, links, contents, columns, row, height):
    """Draws the arrows below a layer; returns the row in which the next layer begins.

    Every source has a net: one line down, one across, and lines down to what it feeds. `columns` gets the net and the
    column of each waypoint.
    """
    if not links:
        return row + height
    nets, out = {}, {}
    for source, _ in links:
        waypoint = source >= layout.boxes
        nets[source] = columns[source][0] if waypoint else source
        out[source] = columns[source][1] if waypoint else layout.left[source] + layout.widths[source] // 2
    into = _entries(layout, links, out)
    spans = {}
    for source, target in links:
        spans.setdefault(source, [out[source]]).append(into[source, target])
    tracks = _tracks({source: span for source, span in spans.items() if len(set(span)) > 1})
    first = row + height
    last = first + max(tracks.values(), default=-1) + 2  # one row above the tracks, and one for the tips
    for source, span in spans.items():
        net, track = nets[source], first + tracks.get(source, 0)
        begin = row + height if source >= layout.boxes else row + len(contents[source]) + 2
        if source < layout.boxes:
            page.write(begin - 1, out[source], "┬")
        page.line(net, begin - 1, out[source], track if source in tracks else last, out[source])
        if source in tracks:
            page.line(net, track, min(span), track, max(span))
            for column in span[1:]:
                page.line(net, track, column, last, column)
    for (_, target), column in into.items():
        if target < layout.boxes:
            page.write(last - 1, column, "▼")
    for source, target in links:
        if target >= layout.boxes:
            columns[target] = nets[source], into[source, target]
    return last


def _entries(layout, links, out):
    """In which column each link arrives: never below the line of another source, which would look like one line."""
    into, taken = {}, {}
    arriving = {}
    for source, target in links:
        arriving.setdefault(target, []).append(source)
    for target, sources in sorted(arriving.items(), key=lambda item: -item[0]):  # waypoints have the least choice
        inner = 0 if target >= layout.boxes else 2
        left, width = layout.left[target] + inner, layout.widths[target] - 2 * inner
        for i, source in enumerate(sorted(sources, key=out.get)):
            ideal = left + width * (2 * i + 1) // (2 * len(sources))
            if len(sources) == 1 or left <= out[source] < left + width:
                ideal = min(max(out[source], left), left + width - 1)
            blocked = {column for other, column in out.items() if other != source} | set(taken.get(target, ()))
            free = [c for c in range(left, left + width) if c not in blocked] or [ideal]
            into[source, target] = min(free, key=lambda c: (abs(c - ideal), c))
            taken.setdefault(target, set()).add(into[source, target])
    return into


def _tracks(spans):
    """A row for each line across, so that no two touch."""
    rows, ends = {}, []
    for source in sorted(spans, key=lambda source: min(spans[source])):
        first, last = min(spans[source]), max(spans[source])
        row = next((i for i, end in enumerate(ends) if end + 1 < first), len(ends))
        ends[row : row + 1] = [last]
        rows[source] = row
    return rows
