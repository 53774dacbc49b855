"""igraph: a library in C."""

import igraph

from ask import summed
from engines import Base, count_lines, pairs


class Engine(Base):
    version = igraph.__version__

    def load(self, items, needs):
        # Its numbers begin with 0.
        edges = [(provider - 1, dependent - 1) for provider, dependent in pairs(needs)]
        self.graph = igraph.Graph(n=count_lines(items), edges=edges, directed=True)

    def reach(self, seed):
        return self.graph.subcomponent(seed - 1, mode="out")

    def three_hops(self, seed):
        return self.graph.neighborhood(seed - 1, order=3, mode="out")

    def reach_sum(self, seed, answer):
        return summed(place + 1 for place in answer if place + 1 != seed)

    three_hops_sum = reach_sum
