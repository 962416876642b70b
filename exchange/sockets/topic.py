"""What the sockets of this process that read one channel share."""

from exchange.sockets import frames
from exchange.sockets.outbox import Line, Outbox


class Topic:
    """`seq` is the number of the channel's last message, in this process."""

    channel = ""

    def __init__(self, instrument: str | None) -> None:
        self.instrument = instrument
        self.seq = 0
        self.lines: dict[Line, Outbox] = {}

    def snapshot(self) -> str:
        """The present, under the number `seq`."""
        raise NotImplementedError

    def join(self, line: Line, outbox: Outbox) -> None:
        """Send the present, and from now on what changes."""
        outbox.put(self.snapshot(), line, self.seq)
        self.lines[line] = outbox

    def leave(self, line: Line) -> None:
        self.lines.pop(line, None)

    def send(self, frame: str, seq: int) -> None:
        """One message to everybody."""
        self.seq = seq
        # A socket that overflows leaves at once, so the lines may change meanwhile.
        for line, outbox in tuple(self.lines.items()):
            if line.source is None:
                outbox.put(frame, line, seq)
            else:
                outbox.offer(frame, line, seq)

    def beat(self, at_us: int) -> None:
        """The heartbeat of every line here."""
        if not self.lines:
            return
        frame = frames.heartbeat(self.channel, self.instrument, seq=self.seq, at_us=at_us)
        for line, outbox in tuple(self.lines.items()):
            outbox.sign(frame, line)


class Conflating(Topic):
    """A topic of which a client that fell behind gets one message for many."""

    def catch_up(self, sent: int) -> tuple[str, int]:
        """(frame, its number) that leads a client which has `sent` to the present."""
        raise NotImplementedError
