"""Puts questions to one engine and says what each one cost.

    python ask.py ENGINE ITEMS.csv NEEDS.csv DIRECTORY

Loads the graph, writes a line of JSON, and then answers each line of standard input,

    {"ask": "reach" | "three_hops", "seeds": [ID, ...]}     {"ask": "memory"}

with one line for each seed, or one with the memory, until standard input ends. What is timed is the engine's answer
and nothing else: the sum by which answers are compared is made outside, where the engine does not give it itself.
CPU time is that of this process with all its threads, and of the engine's servers where it has such.
"""

import gc
import importlib
import json
import os
import signal
import sys
import time

# The largest prime below 2**32: the sum of squares by it tells one set of items from another of the same size.
MODULUS = 4294967291


def summed(ids):
    """How many items, and the sum of their ids' squares, each by the modulus."""
    count = total = 0
    for item in ids:
        count += 1
        total += item * item % MODULUS
    return count, total


def servers_cpu_ns(servers):
    """CPU time of the servers, all threads of each."""
    total = 0
    for pid in servers:
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                    total += int(file.read().split()[0])
        except FileNotFoundError:
            pass  # it has ended since it was listed
    return total


class Cost:
    """What happens between `with` and its end. Reading what servers used stands outside and costs nobody."""

    def __init__(self, servers):
        self.servers = servers

    def __enter__(self):
        self.servers_began = servers_cpu_ns(self.servers)
        self.cpu_began, self.began = time.process_time_ns(), time.perf_counter_ns()
        return self

    def __exit__(self, *_):
        self.wall_ns = time.perf_counter_ns() - self.began
        own = time.process_time_ns() - self.cpu_began
        self.cpu_ns = own + servers_cpu_ns(self.servers) - self.servers_began


def field_kb(path, name):
    with open(path) as file:
        for line in file:
            if line.startswith(name):
                return int(line.split()[1])
    raise ValueError(f"{path} says nothing of {name}")


class Memory:
    """Resident memory beyond what Python took with the engine's library loaded. What servers share counts once."""

    def __init__(self):
        self.before_kb = field_kb("/proc/self/status", "VmRSS:")
        self.servers_most_kb = 0

    def look(self, servers):
        shared_kb = 0
        for pid in servers:
            try:
                shared_kb += field_kb(f"/proc/{pid}/smaps_rollup", "Pss:")
            except FileNotFoundError:
                pass
        self.servers_most_kb = max(self.servers_most_kb, shared_kb)
        now = field_kb("/proc/self/status", "VmRSS:") - self.before_kb + shared_kb
        peak = field_kb("/proc/self/status", "VmHWM:") - self.before_kb + self.servers_most_kb
        return {"resident_kb": now, "peak_kb": peak}


def say(line):
    print(json.dumps(line), flush=True)


def serve(engine, memory):
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["ask"] == "memory":
            say(memory.look(engine.servers()))
            continue
        question, total = getattr(engine, asked["ask"]), getattr(engine, asked["ask"] + "_sum")
        for seed in asked["seeds"]:
            with Cost(engine.servers()) as cost:
                answer = question(seed)
            count, checksum = total(seed, answer)
            say({"wall_ns": cost.wall_ns, "cpu_ns": cost.cpu_ns, "count": count, "sum": checksum})


def main(name, items, needs, directory):
    # Asked to end while a question runs: the servers end with us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    engine = importlib.import_module(f"engines.on_{name}").Engine(directory)
    try:
        memory = Memory()
        with Cost(engine.servers()) as cost:
            engine.load(items, needs)
        # The collector shall not walk through the graph while questions are timed.
        gc.collect()
        gc.freeze()
        spent = {"wall_ns": cost.wall_ns, "cpu_ns": cost.cpu_ns}
        say({"version": engine.version, **spent, **memory.look(engine.servers())})
        serve(engine, memory)
    finally:
        # Being asked once more does not stop the end half way.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        engine.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
