"""What a daemon costs that has nothing to do: its memory, each VM's share of it, and the time until it answers."""
import statistics
import time

import process
from daemon import Daemon
from fleet import FLEET, fleet
from table import at_most

SETTLE_SECONDS = 2  # a part of the figure: idle means that so much time has gone by


def pss_kib(pid):
    """Proportional set size: what is shared with other processes counts by its share."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        for line in file:
            if line.startswith("Pss:"):
                return int(line.split()[1])
    raise RuntimeError(f"/proc/{pid}/smaps_rollup has no Pss")


def _idle(bench):
    with Daemon(bench, "idle") as daemon:
        time.sleep(SETTLE_SECONDS)
        return pss_kib(daemon.pid)


def _with_fleet(bench):
    with fleet(bench) as daemon, daemon.connect() as connection:
        count = len(connection.get("/v1/vms?limit=1000").json()["items"])
        if count != FLEET:
            raise RuntimeError(f"{count} VMs are listed instead of {FLEET}")
        time.sleep(SETTLE_SECONDS)
        return pss_kib(daemon.pid)


def _ready_ms(daemon):
    begin = time.perf_counter()
    daemon.child = process.start(daemon.command(), daemon.log)
    try:
        process.wait_until(daemon.is_ready, 20, "the daemon's first answer")
        return (time.perf_counter() - begin) * 1000
    finally:
        daemon.stop()


def measure(bench):
    idle, full = _idle(bench), _with_fleet(bench)
    yield at_most("idle PSS, no VM", idle / 1024, "MiB", 8)
    yield at_most(f"PSS of each of {FLEET:,} VMs, listed once", (full - idle) / FLEET, "KiB", 4,
                  note=f"{full / 1024:.1f} MiB in all, after a restart")
    empty = Daemon(bench, "idle")
    nothing = statistics.median(_ready_ms(empty) for _ in range(5))
    times = [_ready_ms(fleet(bench)) for _ in range(5)]
    yield at_most(f"ready with {FLEET:,} VMs on disk", statistics.median(times), "ms", 50, nothing, "no VMs",
                  f"{min(times):.0f} to {max(times):.0f} ms")
