"""Kùzu: a graph database in process, with as many threads as it takes by itself."""

import kuzu

from ask import MODULUS
from engines import Base

# Further than any shortest chain of a generated estate; were one longer, the answers would differ.
HOPS_MAX = 200


class Engine(Base):
    version = kuzu.__version__

    def load(self, items, needs):
        self.database = kuzu.Database(f"{self.directory}/estate.kuzu")
        self.connection = kuzu.Connection(self.database)
        self.connection.execute("CREATE NODE TABLE Item(id INT64 PRIMARY KEY)")
        self.connection.execute("CREATE REL TABLE Carries(FROM Item TO Item)")
        self.connection.execute(f"COPY Item FROM '{items}' (header = true)")
        self.connection.execute(f"COPY Carries FROM '{needs}' (header = true)")
        self.connection.execute(f"CALL var_length_extend_max_depth = {HOPS_MAX}")
        self.prepared = {hops: self.connection.prepare(self.query(hops)) for hops in (3, HOPS_MAX)}

    def query(self, hops):
        return (
            f"MATCH (seed:Item {{id: $seed}})-[:Carries* SHORTEST 1..{hops}]->(item:Item) WHERE item.id <> $seed "
            f"RETURN count(*), sum(item.id * item.id % {MODULUS})"
        )

    def ask(self, hops, seed):
        return self.connection.execute(self.prepared[hops], {"seed": seed}).get_next()

    def reach(self, seed):
        return self.ask(HOPS_MAX, seed)

    def three_hops(self, seed):
        return self.ask(3, seed)

    def reach_sum(self, seed, answer):
        return int(answer[0]), int(answer[1] or 0)

    three_hops_sum = reach_sum
