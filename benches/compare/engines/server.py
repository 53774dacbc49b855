"""A server of our own, in a place of its own, ended with us."""

import os
import subprocess
import time

READY_MAX_S = 60
END_MAX_S = 20


def start(command, log, ready, **how):
    """Starts the server and waits until `ready()` no longer fails."""
    with open(log, "wb") as output:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **how)
    began = time.monotonic()
    while True:
        try:
            return server, ready()
        except Exception as error:
            if server.poll() is not None or time.monotonic() - began > READY_MAX_S:
                end(server)
                with open(log, errors="replace") as file:
                    raise SystemExit(f"{command[0]} does not serve: {error}\n{file.read()[-2000:]}")
            time.sleep(0.05)


def family(server):
    """The server and its children."""
    found = [server.pid]
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as file:
                    # After the name in brackets: the state, and the parent.
                    if int(file.read().rpartition(")")[2].split()[1]) == server.pid:
                        found.append(int(name))
            except OSError:
                pass  # it has ended since it was listed
    return found


def end(server):
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(END_MAX_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
