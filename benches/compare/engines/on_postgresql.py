"""PostgreSQL: a server with a private cluster, reached over a socket in a directory of its own.

`CMDB_COMPARE_POSTGRESQL` names the directory with `initdb` and `postgres`. It refuses to run as the superuser, so for
that one it runs as somebody else.
"""

import os
import pwd
import shutil
import subprocess
import tempfile

import psycopg

from engines import server
from engines.sql import Sql

# For this work, and nothing of it has to outlive a crash. Parallel workers end before their time can be read.
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "autovacuum": "off",
    "max_wal_size": "8GB",
    "shared_buffers": "512MB",
    "work_mem": "256MB",
    "maintenance_work_mem": "256MB",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
}


class Engine(Sql):
    mark = "%s"

    def __init__(self, directory):
        super().__init__(directory)
        programs = os.environ["CMDB_COMPARE_POSTGRESQL"]
        # In a place that somebody else can reach.
        self.place = tempfile.mkdtemp(prefix="cmdb-compare-")
        self.server, self.connection, how, user = None, None, {}, pwd.getpwuid(os.geteuid()).pw_name
        try:
            if os.geteuid() == 0:
                user = unprivileged()
                entry = pwd.getpwnam(user)
                os.chown(self.place, entry.pw_uid, entry.pw_gid)
                how = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [], "cwd": self.place}
            data = f"{self.place}/data"
            make = [f"{programs}/initdb", "-D", data, "-U", user, "-A", "trust", "-E", "UTF8", "--no-sync"]
            subprocess.run(make, check=True, stdout=subprocess.DEVNULL, **how)
            command = [f"{programs}/postgres", "-D", data, "-k", self.place]
            for name, value in SETTINGS.items():
                command += ["-c", f"{name}={value}"]
            connect = lambda: psycopg.connect(host=self.place, user=user, dbname="postgres", autocommit=True)
            self.server, self.connection = server.start(command, f"{directory}/postgresql.log", connect, **how)
        except BaseException:
            self.close()
            raise
        self.version = self.connection.execute("SHOW server_version").fetchone()[0].split()[0]
        # Which processes there are does not change any more: one connection, no workers.
        self.pids = server.family(self.server)

    def servers(self):
        return self.pids

    def close(self):
        # It waits for those who are connected before it ends.
        if self.connection:
            self.connection.close()
        if self.server:
            server.end(self.server)
        shutil.rmtree(self.place, ignore_errors=True)

    def load(self, items, needs):
        self.connection.execute("CREATE TABLE needs (provider INTEGER, dependent INTEGER)")
        with open(needs, "rb") as file, self.connection.cursor() as cursor:
            with cursor.copy("COPY needs FROM STDIN (FORMAT csv, HEADER)") as copy:
                while part := file.read(1 << 20):
                    copy.write(part)
        self.connection.execute("ALTER TABLE needs ADD PRIMARY KEY (provider, dependent)")
        self.connection.execute("VACUUM (ANALYZE) needs")

    def ask(self, query, seed):
        return self.connection.execute(query, (seed, seed), prepare=True).fetchone()


def unprivileged():
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise SystemExit("nobody to run PostgreSQL as: neither `postgres` nor `nobody` is a user here")
