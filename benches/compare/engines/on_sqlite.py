"""SQLite: the library that comes with Python, on a file."""

import sqlite3

from engines import pairs
from engines.sql import Sql


class Engine(Sql):
    version = sqlite3.sqlite_version
    whole = "INTEGER"

    def load(self, items, needs):
        self.database = sqlite3.connect(f"{self.directory}/estate.sqlite")
        # Nothing of it has to outlive a crash, and all of it may stay in memory.
        self.database.execute("PRAGMA journal_mode = OFF")
        self.database.execute("PRAGMA synchronous = OFF")
        self.database.execute("PRAGMA cache_size = -1000000")
        self.database.execute(
            "CREATE TABLE needs (provider INTEGER, dependent INTEGER, PRIMARY KEY (provider, dependent)) WITHOUT ROWID"
        )
        self.database.executemany("INSERT INTO needs VALUES (?, ?)", pairs(needs))
        self.database.commit()
        self.database.execute("ANALYZE")

    def ask(self, query, seed):
        return self.database.execute(query, (seed, seed)).fetchone()
