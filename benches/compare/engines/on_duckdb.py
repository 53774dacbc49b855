"""DuckDB: in process, on a file, with as many threads as it takes by itself."""

import duckdb

from engines.sql import Sql


class Engine(Sql):
    version = duckdb.__version__

    def load(self, items, needs):
        self.database = duckdb.connect(f"{self.directory}/estate.duckdb")
        self.database.execute(
            "CREATE TABLE needs AS SELECT * FROM read_csv(?, columns = {'provider': 'INTEGER', 'dependent': 'INTEGER'})",
            [needs],
        )

    def ask(self, query, seed):
        return self.database.execute(query, [seed, seed]).fetchone()
