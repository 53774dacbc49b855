"""The two questions in SQL. The engine counts and sums itself, so that no rows travel."""

from ask import MODULUS
from engines import Base


def questions(mark, whole="BIGINT"):
    """`mark`: how a parameter is written. Both are given the seed twice."""
    # Where parameters are written with a percent sign, a real one is doubled.
    modulo = "%%" if "%" in mark else "%"
    answer = f"SELECT count(*), sum(CAST(id AS {whole}) * id {modulo} {MODULUS})"
    reach = f"""
        WITH RECURSIVE reached(id) AS (
            SELECT CAST({mark} AS INTEGER)
            UNION
            SELECT needs.dependent FROM reached JOIN needs ON needs.provider = reached.id
        )
        {answer} FROM reached WHERE id <> {mark}"""
    three_hops = f"""
        WITH RECURSIVE reached(id, hops) AS (
            SELECT CAST({mark} AS INTEGER), 0
            UNION
            SELECT needs.dependent, reached.hops + 1
            FROM reached JOIN needs ON needs.provider = reached.id
            WHERE reached.hops < 3
        )
        {answer} FROM (SELECT DISTINCT id FROM reached) AS found WHERE id <> {mark}"""
    return reach, three_hops


class Sql(Base):
    """`ask(query, seed)` gives the one row of the answer."""

    mark = "?"
    whole = "BIGINT"

    def __init__(self, directory):
        super().__init__(directory)
        self.reach_query, self.three_hops_query = questions(self.mark, self.whole)

    def reach(self, seed):
        return self.ask(self.reach_query, seed)

    def three_hops(self, seed):
        return self.ask(self.three_hops_query, seed)

    def reach_sum(self, seed, answer):
        return int(answer[0]), int(answer[1] or 0)

    three_hops_sum = reach_sum
