"""Where boxes stand in a picture: in layers by depth, with as few crossings as a few sweeps find."""


class Layered:
    """Places for the boxes of an acyclic graph.

    Long arrows are split at every layer that they pass by a waypoint, so that they run between boxes.

    Args:
        widths: Width of each box.
        arrows: List of pairs of numbers of boxes.
        gap: Least distance between neighbours.
        waypoint: Width of the room for an arrow that passes.
        groups: For each box, a tuple of the groups it belongs to; members of a group stand side by side.

    Attributes:
        rows: List of layers, each a list of numbers from left to right; numbers from `len(widths)` on are waypoints.
        links: List of (source, target) between neighbouring layers, waypoints among them.
        left: Left edge of each box and waypoint.
        widths: Their widths.
        width: Width of the whole.
    """

    def __init__(self, widths, arrows, gap, waypoint, groups=None):
        self.widths = list(widths)
        self.boxes = len(self.widths)
        self.groups = list(groups) if groups else [()] * self.boxes
        self.depth = self._depths(arrows)
        self.links = []
        for source, target in arrows:
            self._split(source, target, waypoint)
        self.rows = [[] for _ in range(max(self.depth, default=-1) + 1)]
        for number, depth in enumerate(self.depth):
            self.rows[depth].append(number)
        self._order()
        self._place(gap)

    def _depths(self, arrows):
        """The longest way from a beginning to each box; beginnings stand just above what they feed."""
        targets, waiting = [[] for _ in range(self.boxes)], [0] * self.boxes
        for source, target in arrows:
            targets[source].append(target)
            waiting[target] += 1
        free = [number for number, count in enumerate(waiting) if not count]
        beginnings, depth, seen = list(free), [0] * self.boxes, 0
        while free:
            number = free.pop()
            seen += 1
            for target in targets[number]:
                depth[target] = max(depth[target], depth[number] + 1)
                waiting[target] -= 1
                if not waiting[target]:
                    free.append(target)
        if seen < self.boxes:
            raise ValueError("A picture can't be drawn of a graph that has a circle.")
        for number in beginnings:
            if targets[number]:
                depth[number] = min(depth[target] for target in targets[number]) - 1
        return depth

    def _split(self, source, target, waypoint):
        shared = [a for a, b in zip(self.groups[source], self.groups[target], strict=False) if a == b]
        last = source
        for depth in range(self.depth[source] + 1, self.depth[target]):
            self.widths.append(waypoint)
            self.depth.append(depth)
            self.groups.append(tuple(shared))
            self.links.append((last, len(self.widths) - 1))
            last = len(self.widths) - 1
        self.links.append((last, target))

    def _neighbours(self):
        above, below = [[] for _ in self.widths], [[] for _ in self.widths]
        for source, target in self.links:
            above[target].append(source)
            below[source].append(target)
        return above, below

    def _order(self):
        """Each box moves to the middle of what it is linked to, in sweeps down and up."""
        above, below = self._neighbours()
        place = {number: i for row in self.rows for i, number in enumerate(row)}
        best, fewest = [list(row) for row in self.rows], self._crossings()
        for sweep in range(8):
            linked, rows = (above, self.rows) if sweep % 2 == 0 else (below, self.rows[::-1])
            for row in rows:
                middles = {}
                for number in row:
                    others = [place[other] for other in linked[number]]
                    middles[number] = sum(others) / len(others) if others else place[number]
                row.sort(key=lambda number: (middles[number], place[number]))
                self._gather(row)
                place.update({number: i for i, number in enumerate(row)})
            crossings = self._crossings()
            if crossings < fewest:
                best, fewest = [list(row) for row in self.rows], crossings
        self.rows = best

    def _gather(self, row):
        """Puts members of a group side by side, where the first of them stands."""
        if not any(self.groups[number] for number in row):
            return
        first = {}
        for i, number in enumerate(row):
            for level in range(len(self.groups[number])):
                first.setdefault(self.groups[number][: level + 1], i)
        position = {number: i for i, number in enumerate(row)}

        def key(number):
            groups = self.groups[number]
            return [first[groups[: level + 1]] for level in range(len(groups))] + [position[number]]

        row.sort(key=key)

    def _crossings(self):
        place = {number: i for row in self.rows for i, number in enumerate(row)}
        total = 0
        for depth in range(len(self.rows)):
            ends = sorted((place[s], place[t]) for s, t in self.links if self.depth[s] == depth)
            total += sum(b > d for i, (a, b) in enumerate(ends) for c, d in ends[i + 1 :] if a != c)
        return total

    def _place(self, gap):
        """From left to right; then each is drawn towards the middle of its neighbours as far as there is room."""
        above, below = self._neighbours()
        left = self.left = [0] * len(self.widths)
        for row in self.rows:
            x = 0
            for number in row:
                left[number] = x
                x += self.widths[number] + gap
        self._gap = gap
        for sweep in range(10):
            linked, rows = (above, self.rows) if sweep % 2 == 0 else (below, self.rows[::-1])
            for row in rows:
                wanted = []
                for number in row:
                    others = linked[number]
                    middle = [left[o] + self.widths[o] / 2 for o in others]
                    wanted.append(sum(middle) / len(middle) - self.widths[number] / 2 if others else left[number])
                self._settle(row, wanted)
        least = min(left, default=0)
        self.left = [int(round(x - least)) for x in left]
        for row in self.rows:  # rounding may have made two too close
            for before, after in zip(row, row[1:], strict=False):
                self.left[after] = max(self.left[after], self.left[before] + self.widths[before] + gap)
        self.width = max((x + w for x, w in zip(self.left, self.widths, strict=True)), default=0)

    def _settle(self, row, wanted):
        """Gives a row the places nearest to what is wanted that keep order and distances, block by block."""
        blocks = []  # [sum of wished starts, members, width]: neighbours that touch move as one
        for number, wish in zip(row, wanted, strict=True):
            block = [wish, [number], self.widths[number] + self._gap]
            while blocks and blocks[-1][0] / len(blocks[-1][1]) + blocks[-1][2] > block[0] / len(block[1]):
                total, members, width = blocks.pop()
                block = [total + block[0] - width * len(block[1]), members + block[1], width + block[2]]
            blocks.append(block)
        for total, members, _ in blocks:
            x = total / len(members)
            for number in members:
                self.left[number] = x
                x += self.widths[number] + self._gap
