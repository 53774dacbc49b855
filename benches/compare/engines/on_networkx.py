"""networkx: Python objects all through."""

import networkx

from ask import summed
from engines import Base, count_lines, pairs


class Engine(Base):
    version = networkx.__version__

    def load(self, items, needs):
        self.graph = networkx.DiGraph()
        self.graph.add_nodes_from(range(1, count_lines(items) + 1))
        self.graph.add_edges_from(pairs(needs))

    def reach(self, seed):
        return networkx.descendants(self.graph, seed)

    def three_hops(self, seed):
        return networkx.single_source_shortest_path_length(self.graph, seed, cutoff=3)

    def reach_sum(self, seed, answer):
        return summed(item for item in answer if item != seed)

    three_hops_sum = reach_sum
