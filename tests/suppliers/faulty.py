"""A supplier that can be told to misbehave: `python -m tests.suppliers.faulty FD`, then POST /faults {"mode", "after", "times"}.

`after`: how many calls (or, in a stream, events) go well before; `times`: how many go wrong, all of them unless given.
"""

import asyncio
import os
import socket
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import uvicorn

from exchange.demo.supplier.app import Supplier, read_json, send_json

MODES = (
    "fine",
    "fail",
    "busy",
    "hang",
    "lie",
    "half",
    "die",
    "garbage",
    "redirect",
    "refuse",
    "silent",
    "short",
    "endless",
    "strangers",
    "numbers",
    "deep",
    "later",
    "packed",
    "flood",
    "drip",
)


class Faulty(Supplier):
    def __init__(self, token=""):
        super().__init__(token)
        self.mode, self.after, self.times = "fine", 0, None
        self.seen = []
        self.lines = set()
        self._dead = asyncio.Event()

    async def serve(self, scope, receive, send):
        if scope["path"] == "/faults":
            told = await read_json(receive)
            assert told["mode"] in MODES
            self.mode, self.after, self.times = told["mode"], told.get("after", 0), told.get("times")
            await send_json(send, {})
        elif scope["path"] == "/seen":
            await send_json(send, self.seen)
        elif scope["path"] == "/lines":  # on which calls came since this was last asked for, and for whom
            lines, self.lines = self.lines, set()
            await send_json(send, sorted(lines))
        elif scope["method"] == "POST":
            self.lines.add((dict(scope["headers"])[b"host"].decode(), scope["client"][1]))
            await self._work(scope, receive, send)
        else:
            await super().serve(scope, receive, send)

    async def _work(self, scope, receive, send):
        if self._is_due():
            await getattr(self, f"_{self.mode}")(scope, receive, send)
        else:
            await super().serve(scope, receive, self._watched(send) if self.mode in ("half", "die") else send)

    def _is_due(self):
        """Whether this call goes wrong from its beginning."""
        if self.mode in ("fine", "half", "die") or self.times == 0:
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True

    def _watched(self, send):
        """Sends until `after` parts of bodies have gone, then breaks the line, or ends the process."""

        async def watched(message):
            if message["type"] == "http.response.body":
                if self.after <= 0:
                    if self.mode == "die":
                        os._exit(9)
                    raise ConnectionAbortedError
                self.after -= 1
            await send(message)

        return watched

    async def _fail(self, scope, receive, send):
        await send_json(send, {"error": {"message": "out of order"}}, 500)

    async def _busy(self, scope, receive, send):
        await send_json(send, {"error": {"message": "come back later"}}, 429)

    async def _hang(self, scope, receive, send):
        while (await receive())["type"] != "http.disconnect":
            pass

    async def _garbage(self, scope, receive, send):
        await send_json(send, ["not", "what", "was", "asked"])

    async def _redirect(self, scope, receive, send):
        headers = [(b"location", b"http://127.0.0.1:1/v1"), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 307, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def _refuse(self, scope, receive, send):
        await send_json(send, {"error": {"message": "messages may not be so"}}, 400)

    async def _lie(self, scope, receive, send):
        """Does the work and claims a thousand times what it took."""
        honest = self.meter.count

        def claimed(operation, items, prompt_tokens, completion_tokens):
            honest(operation, items, prompt_tokens, completion_tokens)
            told = {"prompt_tokens": prompt_tokens * 1000, "completion_tokens": completion_tokens * 1000}
            return told | {"total_tokens": sum(told.values())}

        self.meter.count = claimed
        try:
            await super().serve(scope, receive, send)
        finally:
            self.meter.count = honest

    async def _silent(self, scope, receive, send):
        """Says nothing of what it took."""
        honest = self.meter.count
        self.meter.count = lambda *counts: (honest(*counts), {"prompt_tokens": None, "total_tokens": None})[1]
        try:
            await super().serve(scope, receive, send)
        finally:
            self.meter.count = honest

    async def _endless(self, scope, receive, send):
        """One event of very many lines."""
        await self._events(send, (b"data: " + b"x" * 65_536 + b"\n" for _ in range(80)))

    async def _strangers(self, scope, receive, send):
        """Ever new choices."""
        told = (b'data: {"choices": [{"index": %d, "delta": {"content": "x"}}]}\n\n' % number for number in range(9))
        await self._events(send, told)

    async def _numbers(self, scope, receive, send):
        """No list where a list has to be."""
        await self._events(send, [b'data: {"choices": 5}\n\n'])

    async def _deep(self, scope, receive, send):
        """Lists in lists in lists."""
        await self._raw(send, 200, b"[" * 100_000)

    async def _later(self, scope, receive, send):
        """Busy, for a time that is no number."""
        await self._raw(send, 429, b"[" * 60_000, (b"retry-after", b"\xb2"))

    async def _packed(self, scope, receive, send):
        """Says that its answer is packed, which it is not."""
        await self._raw(send, 200, b"{}", (b"content-encoding", b"gzip"))

    async def _flood(self, scope, receive, send):
        """An answer that does not end in any good time."""
        await self._begin(send)
        for _ in range(4096):
            await send({"type": "http.response.body", "body": b" " * 65_536, "more_body": True})
            await asyncio.sleep(0)

    async def _drip(self, scope, receive, send):
        """Begins to answer and says no more."""
        await self._begin(send)
        await self._hang(scope, receive, send)

    async def _begin(self, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b" ", "more_body": True})

    async def _raw(self, send, status, body, *headers):
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        await send({"type": "http.response.body", "body": body})

    async def _events(self, send, parts):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})

    async def _short(self, scope, receive, send):
        """Leaves the last input out."""
        body = await read_json(receive)
        self.seen.append(body)
        await self.embed({**body, "input": body["input"][:-1]}, send)


def main():
    listener = socket.socket(fileno=int(sys.argv[1]))
    supplier = Faulty(os.environ.get("DEMO_SUPPLIER_TOKEN", ""))
    config = uvicorn.Config(supplier, log_level="critical", access_log=False, server_header=False, timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
