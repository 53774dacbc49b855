"""One engine each: how it is loaded, and how the two questions are put to it as its users would.

`reach(seed)`: every item that fails with the seed where everybody needs everything. `three_hops(seed)`: those of them
that are at most three relationships away. Ids begin with 1 and have no gaps; the seed is never part of its answer.
"""

import csv


class Base:
    """An engine in this process that answers with something to count."""

    version = ""

    def __init__(self, directory):
        self.directory = directory

    def servers(self):
        """Process ids of what works for the engine besides this process."""
        return []

    def close(self):
        """Ends what was started."""


def pairs(path):
    """The relationships: whose failure reaches whom."""
    with open(path, newline="") as file:
        rows = csv.reader(file)
        next(rows)
        for provider, dependent in rows:
            yield int(provider), int(dependent)


def count_lines(path):
    """Lines below the heading."""
    with open(path, "rb") as file:
        return sum(1 for _ in file) - 1
