"""Many VMs: created over many connections at once, by one process without threads."""
import selectors
import time

from daemon import WAIT, Daemon, vm_body
from http_client import Connection, request_bytes, take_answer

FLEET = 1000


class Creator:
    """One client: the next create goes out when the last is answered."""

    def __init__(self, path, make_name):
        self.connection = Connection(path)
        self.make_name = make_name

    def ask(self):
        name = self.make_name()
        if name is None:
            return False
        self.connection.send(request_bytes("POST", "/v1/vms", vm_body(name), WAIT))
        return True

    def hear(self):
        """True when one VM more is there."""
        part = self.connection.socket.recv(1 << 16)
        if not part:
            raise ConnectionError("berthd closed a connection")
        self.connection.buffer += part
        answer = take_answer(self.connection.buffer)
        if answer is None:
            return False
        answer.expect(201)
        return True


def create_many(path, clients, make_name, seconds=None):
    """Creates until make_name gives None, or for so many seconds; answers (how many, how long). What is still under way
    at the end is waited for and not counted."""
    creators = [Creator(path, make_name) for _ in range(clients)]
    count = 0
    begin = time.perf_counter()
    finish = None
    with selectors.DefaultSelector() as selector:
        for creator in creators:
            if creator.ask():
                selector.register(creator.connection.socket, selectors.EVENT_READ, creator)
        while selector.get_map():
            ready = selector.select(30)
            if not ready:
                raise RuntimeError("no create was answered for 30 s")
            for key, _ in ready:
                if not key.data.hear():
                    continue
                if finish is None:
                    count += 1
                    if seconds is not None and time.perf_counter() - begin >= seconds:
                        finish = time.perf_counter()
                if finish is not None or not key.data.ask():
                    selector.unregister(key.fileobj)
    elapsed = (finish or time.perf_counter()) - begin
    for creator in creators:
        creator.connection.close()
    return count, elapsed


def names(prefix, count=None):
    """A function that gives prefix-0001 and so on, and None after count of them."""
    numbers = iter(range(1, count + 1)) if count else iter(range(1, 1 << 31))
    return lambda: next((f"{prefix}-{number:05}" for number in numbers), None)


def fleet(bench, core=None):
    """A daemon, not started, whose state directory holds FLEET VMs; made once in a run."""
    daemon = Daemon(bench, "fleet", core)
    if not bench.has_fleet:
        bench.say(f"creating {FLEET} VMs")
        with daemon:
            create_many(daemon.socket, 16, names("vm", FLEET))
        bench.has_fleet = True
    return daemon
