"""Many subscribers to one journal: every change reaches each of them, and one that never reads costs the others nothing."""
import array
import fcntl
import re
import selectors
import statistics
import termios
import time

from daemon import Daemon, create_vm
from fleet import create_many, names
from http_client import Connection, request_bytes
from table import MET, MISSED, Row, at_most

SUBSCRIBERS, CHANGERS = 64, 8
EVENT = re.compile(rb"id: (\d+)\nevent: ([a-z_.]+)\ndata: [^\n]*\n")
GAP = b"event: gap"
PAST = 1000  # VMs created before, for a journal that does not fit into one socket
SHORTEST_EVENT = 200  # bytes, and a little less than any


class Subscriber:
    """Counts updates with consecutive numbers. A chunk's frame may fall inside an event, so frames are taken out first."""

    def __init__(self, path, after):
        self.connection = Connection(path)
        self.connection.send(request_bytes("GET", f"/v1/events?after={after}"))
        self.raw, self.text = bytearray(), bytearray()
        self.has_head = False
        self.last = after
        self.seen = 0

    def hear(self):
        part = self.connection.socket.recv(1 << 20)
        if not part:
            raise ConnectionError("an event stream was cut off")
        self.raw += part
        if not self.has_head:
            end = self.raw.find(b"\r\n\r\n")
            if end < 0:
                return
            if not self.raw.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"no event stream: {bytes(self.raw[:300])!r}")
            del self.raw[:end + 4]
            self.has_head = True
        self._take_chunks()
        self._take_events()

    def _take_chunks(self):
        at = 0
        while (line := self.raw.find(b"\r\n", at)) >= 0:
            size = int(self.raw[at:line], 16)
            if len(self.raw) < line + 2 + size + 2:
                break
            self.text += self.raw[line + 2:line + 2 + size]
            at = line + 2 + size + 2
        del self.raw[:at]

    def _take_events(self):
        end = 0
        for event in EVENT.finditer(self.text):
            if int(event[1]) != self.last + 1 or event[2] != b"vm.updated":
                raise RuntimeError(f"event {int(event[1])} {event[2].decode()} after {self.last}: one was lost")
            self.last += 1
            self.seen += 1
            end = event.end()
        if self.text.find(GAP) >= 0:
            raise RuntimeError("the stream has a gap")
        del self.text[:end]


class Changer:
    """Changes the labels of one VM, one change after the other. There are several, so that it is not the disk alone
    that sets the pace."""

    def __init__(self, path, vm, count):
        self.connection = Connection(path)
        self.vm, self.left = vm, count

    def ask(self):
        self.left -= 1
        self.connection.send(request_bytes("PATCH", f"/v1/vms/{self.vm}", {"labels": {"change": str(self.left)}}, ["If-Match: *"]))

    def hear(self):
        self.connection.receive().expect(200)
        if self.left > 0:
            self.ask()


def _metric(daemon, name):
    with daemon.connect() as connection:
        text = connection.get("/metrics").body
    return int(float(re.search(rb"^%s (\S+)$" % name, text, re.M)[1]))


def _require_stalled(daemon, silent):
    """A socket that took everything would show nothing: what waits in it must be less than the journal's text."""
    unread = array.array("i", [0])
    fcntl.ioctl(silent.socket, termios.FIONREAD, unread)
    if unread[0] >= _metric(daemon, b"berth_events_last_sequence") * SHORTEST_EVENT:
        raise RuntimeError(f"the silent subscriber was never behind: {unread[0]} bytes fitted into its socket")


def _round(daemon, vm, subscribers, changes):
    """Seconds from the first change until the last subscriber has the last event; each has every one of them, or this
    raises."""
    after = _metric(daemon, b"berth_events_last_sequence")
    listening = [Subscriber(daemon.socket, after) for _ in range(subscribers)]
    with selectors.DefaultSelector() as selector:
        for each in listening:
            while not each.has_head:
                each.hear()
            selector.register(each.connection.socket, selectors.EVENT_READ, each)
        changers = [Changer(daemon.socket, vm, changes // CHANGERS) for _ in range(CHANGERS)]
        for each in changers:
            selector.register(each.connection.socket, selectors.EVENT_READ, each)
        begin = time.perf_counter()
        for each in changers:
            each.ask()
        while any(each.seen < changes for each in listening):
            ready = selector.select(30)
            if not ready:
                raise RuntimeError(f"events were lost: {min(each.seen for each in listening)} of {changes} came")
            for key, _ in ready:
                key.data.hear()
        elapsed = time.perf_counter() - begin
    for each in [*changers, *listening]:
        each.connection.close()
    return elapsed


def measure(bench):
    changes, rounds = (504, 2) if bench.quick else (1000, 3)
    free, stalled, alone = [], [], []
    with Daemon(bench, "events") as daemon:
        with daemon.connect() as connection:
            vm = create_vm(connection, "changing")["id"]
        create_many(daemon.socket, 16, names("past", PAST))
        _round(daemon, vm, SUBSCRIBERS, changes)  # warms up
        for _ in range(rounds):
            alone.append(_round(daemon, vm, 1, changes))
            free.append(_round(daemon, vm, SUBSCRIBERS, changes))
            # Never reads: what it asked for from the beginning of the journal fills its socket, then the daemon's outbox.
            with daemon.connect() as silent:
                silent.send(request_bytes("GET", "/v1/events?after=0"))
                stalled.append(_round(daemon, vm, SUBSCRIBERS, changes))
                _require_stalled(daemon, silent)
        cut = _metric(daemon, b"berth_http_subscribers_cut_total")
    figure = f"{SUBSCRIBERS} subscribers × {changes:,} changes"
    best = statistics.median(free)
    # A lost event raises, so a row that exists has lost none.
    yield Row(f"{figure}: time to the last delivery", best, "s", statistics.median(alone), "one subscriber", "none lost", MET,
              f"{SUBSCRIBERS * changes / best:,.0f} deliveries per s")
    with_stalled = statistics.median(stalled)
    yield Row(f"{figure}, one more stalled", with_stalled, "s", best, "none stalled", "≤ 1.2 ×, none lost",
              MET if with_stalled <= 1.2 * best else MISSED, f"stalled streams cut off: {cut}")
