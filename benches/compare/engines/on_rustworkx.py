"""rustworkx: petgraph behind Python."""

import rustworkx

from ask import summed
from engines import Base, count_lines, pairs


class Engine(Base):
    version = rustworkx.__version__

    def load(self, items, needs):
        # Its numbers begin with 0.
        edges = [(provider - 1, dependent - 1) for provider, dependent in pairs(needs)]
        # Each pair is there once: it need not look for another.
        self.graph = rustworkx.PyDiGraph()
        self.graph.add_nodes_from(range(count_lines(items)))
        self.graph.add_edges_from_no_data(edges)

    def reach(self, seed):
        return rustworkx.descendants(self.graph, seed - 1)

    def three_hops(self, seed):
        seen, layer = {seed - 1}, [seed - 1]
        for _ in range(3):
            after = []
            for place in layer:
                for other in self.graph.successor_indices(place):
                    if other not in seen:
                        seen.add(other)
                        after.append(other)
            layer = after
        return seen

    def reach_sum(self, seed, answer):
        return summed(place + 1 for place in answer if place + 1 != seed)

    three_hops_sum = reach_sum
