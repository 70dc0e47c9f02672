"""Durable creates: each is on the disk before it is answered 201."""
import os
import statistics
import time

from daemon import Daemon, create_vm
from fleet import create_many, names
from table import at_least, at_most

CLIENTS = 64


def _sync_ms(folder, rounds):
    """The disk's own price: 4 KiB appended to a file and synced, in the same file system."""
    times = []
    file = os.open(os.path.join(folder, "sync"), os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        for _ in range(rounds):
            begin = time.perf_counter()
            os.write(file, bytes(4096))
            os.fdatasync(file)
            times.append((time.perf_counter() - begin) * 1000)
    finally:
        os.close(file)
    return statistics.median(times)


def _alone_ms(daemon, rounds):
    times = []
    with daemon.connect() as connection:
        for number in range(rounds + 10):
            begin = time.perf_counter()
            create_vm(connection, f"alone-{number}")
            times.append((time.perf_counter() - begin) * 1000)
    return times[10:]  # the first ones warm up


def measure(bench):
    rounds = 50 if bench.quick else 300
    with Daemon(bench, "create") as daemon:
        sync = _sync_ms(daemon.folder, rounds)
        times = sorted(_alone_ms(daemon, rounds))
        yield at_most("durable create, one client", statistics.median(times), "ms", 2.5, sync, "one fdatasync",
                      f"p99 {times[len(times) * 99 // 100]:.1f} ms")
        count, elapsed = create_many(daemon.socket, CLIENTS, names("many"), 3 if bench.quick else 5)
        sync = _sync_ms(daemon.folder, rounds)  # again: a disk that others use is not the same a minute later
        yield at_least(f"durable creates, {CLIENTS} clients", count / elapsed, "per s", 1000, 1000 / sync, "fdatasyncs per s",
                       f"{count:,} in {elapsed:.1f} s")
