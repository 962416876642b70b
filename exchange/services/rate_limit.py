"""One token bucket per account and class of action, across REST and sockets (API.md, conventions).

The buckets live in Redis and are drawn from by one atomic script, a little ahead while they are well filled (rate_limit_ahead.py); when Redis is
away each process grants a quarter of the rate from its own memory. Cancels are counted nowhere: they are never blocked.
"""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
import redis
import redis.asyncio
from django.conf import settings

from exchange.services.rate_limit_ahead import SHARE, Ahead, Bucket


class Rule(msgspec.Struct, frozen=True):
    """`burst` tokens at most, refilled at `per_s` a second."""

    per_s: int
    burst: int


DEFAULT_RULES = {
    "read": Rule(500, 2_000),
    "write": Rule(100, 400),
    "order_requests": Rule(5_000, 10_000),
    "order": Rule(25_000, 50_000),
    "redeem": Rule(500, 2_000),
    "login": Rule(1, 20),
    "node": Rule(2_000, 4_000),
}
FREE = frozenset({"cancel"})
OUTAGE_S = 2.0  # how long Redis is left alone after it failed
DRAW_TIMEOUT_S = 0.25


class Decision(msgspec.Struct, frozen=True):
    """What the tightest bucket said. `retry_after_s` is 0 when allowed; `reset_s` until it is full again."""

    allowed: bool
    action: str
    limit: int
    per_s: int
    remaining: int
    reset_s: int
    retry_after_s: int

    def headers(self) -> dict[str, str]:
        """IETF `RateLimit` and `RateLimit-Policy`, and `Retry-After` on a refusal; nothing for what is not counted."""
        if self.limit == 0:
            return {}
        window = max(1, math.ceil(self.limit / self.per_s))
        found = {
            "RateLimit-Policy": f'"{self.action}";q={self.limit};w={window}',
            "RateLimit": f'"{self.action}";r={self.remaining};t={self.reset_s}',
        }
        if not self.allowed:
            found["Retry-After"] = str(self.retry_after_s)
        return found


class RateLimited(Exception):
    """The bucket is empty; `decision` says for how long."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(f"too many requests of the class {decision.action}; try again in {decision.retry_after_s} s")
        self.decision = decision


# KEYS: buckets. ARGV: per bucket rate, burst, cost, what is to be drawn ahead, what comes back. Nothing is drawn unless every bucket can give
# its part; ahead only while half of the bucket stays. Answers per bucket what is left and what was drawn ahead, then whether it was too little.
_SCRIPT = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local out, levels, short = {}, {}, 0
for i, key in ipairs(KEYS) do
  local rate, burst, cost, back = tonumber(ARGV[5*i-4]), tonumber(ARGV[5*i-3]), tonumber(ARGV[5*i-2]), tonumber(ARGV[5*i])
  local s = redis.call('HMGET', key, 'l', 'a')
  local level = tonumber(s[1]) or burst
  level = math.min(burst, level + back + math.max(0, now - (tonumber(s[2]) or now)) * rate / 1000000)
  levels[i] = level
  if level < math.min(cost, burst) then short = 1 end
end
for i, key in ipairs(KEYS) do
  local rate, burst, cost, ahead = tonumber(ARGV[5*i-4]), tonumber(ARGV[5*i-3]), tonumber(ARGV[5*i-2]), tonumber(ARGV[5*i-1])
  local level = levels[i]
  if short == 0 then level = level - cost end
  if short == 1 or level - ahead < burst / 2 then ahead = 0 end
  level = level - ahead
  redis.call('HSET', key, 'l', tostring(level), 'a', string.format('%.0f', now))
  redis.call('PEXPIRE', key, math.ceil((burst - level) / rate * 1000) + 1000)
  out[2*i-1] = string.format('%.3f', level)
  out[2*i] = tostring(ahead)
end
out[#out + 1] = tostring(short)
return out
"""

Draw = tuple[str, int]  # action, cost


def rules() -> Mapping[str, Rule]:
    """The deployment's rules: `RATE_LIMITS` in the settings overrides single actions as {action: (per_s, burst)}."""
    given: Mapping[str, Sequence[int]] = getattr(settings, "RATE_LIMITS", {})
    return {**DEFAULT_RULES, **{action: Rule(*numbers) for action, numbers in given.items()}}


class Limiter:
    """Draws for one process. `take` for threads, `take_async` for event loops; both see the same buckets."""

    def __init__(self) -> None:
        self.rules = rules()
        self.local: dict[Bucket, tuple[float, float]] = {}
        self.ahead = Ahead()
        self._away_until = 0.0
        self._sync: redis.Redis | None = None
        self._script: Any = None
        self._by_loop: WeakKeyDictionary[Any, tuple[redis.asyncio.Redis, Any]] = WeakKeyDictionary()

    def take(self, account_id: int, *draws: Draw) -> Decision:
        """Draw `(action, cost)` pairs of the account, all or none."""
        wanted = self._wanted(draws)
        if not wanted:
            return _free(draws)
        if (paid := self._paid(account_id, wanted)) is not None:
            return paid
        if time.monotonic() >= self._away_until:
            if self._script is None:
                self._sync = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=DRAW_TIMEOUT_S, socket_connect_timeout=DRAW_TIMEOUT_S)
                self._script = self._sync.register_script(_SCRIPT)
            try:
                answer = self._script(keys=_keys(account_id, wanted), args=self._arguments(account_id, wanted))
                return self._judge(account_id, wanted, answer)
            except (redis.RedisError, OSError):
                self._away_until = time.monotonic() + OUTAGE_S
        return self._take_local(account_id, wanted)

    async def take_async(self, account_id: int, *draws: Draw) -> Decision:
        """`take` for the rooms that run on an event loop."""
        wanted = self._wanted(draws)
        if not wanted:
            return _free(draws)
        if (paid := self._paid(account_id, wanted)) is not None:
            return paid
        if time.monotonic() >= self._away_until:
            try:
                answer = await self._loop_script()(keys=_keys(account_id, wanted), args=self._arguments(account_id, wanted))
                return self._judge(account_id, wanted, answer)
            except (redis.RedisError, OSError):
                self._away_until = time.monotonic() + OUTAGE_S
        return self._take_local(account_id, wanted)

    def close(self) -> None:
        """Let go of the threads' connections."""
        if self._sync is not None:
            self._sync.close()
            self._sync = self._script = None

    async def close_async(self) -> None:
        """Let go of the present loop's connections, before the loop ends."""
        import asyncio  # noqa: PLC0415 - only rooms with a loop come here

        found = self._by_loop.pop(asyncio.get_running_loop(), None)
        if found is not None:
            await found[0].aclose()

    def _wanted(self, draws: Sequence[Draw]) -> list[Draw]:
        return [(action, cost) for action, cost in draws if action not in FREE and cost > 0]

    def _paid(self, account_id: int, wanted: Sequence[Draw]) -> Decision | None:
        """The answer from what was drawn ahead; None where that is not enough."""
        found = self.ahead.spend([((account_id, action), cost) for action, cost in wanted])
        if found is None:
            return None
        rules = [self.rules[action] for action, _ in wanted]
        levels = [min(float(rule.burst), level + passed_s * rule.per_s) for rule, (level, passed_s) in zip(rules, found, strict=True)]
        return self._decide(wanted, levels, allowed=True)

    def _arguments(self, account_id: int, wanted: Sequence[Draw]) -> list[int]:
        back = self.ahead.give_back([(account_id, action) for action, _ in wanted])
        rules = [(self.rules[action], cost) for action, cost in wanted]
        return [
            n for (rule, cost), left in zip(rules, back, strict=True) for n in (rule.per_s, rule.burst, cost, rule.burst // SHARE, left)
        ]

    def _loop_script(self) -> Any:
        """A client belongs to the loop it was made in."""
        import asyncio  # noqa: PLC0415 - only rooms with a loop come here

        loop = asyncio.get_running_loop()
        found = self._by_loop.get(loop)
        if found is None:
            client = redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_timeout=DRAW_TIMEOUT_S, socket_connect_timeout=DRAW_TIMEOUT_S)
            found = self._by_loop[loop] = (client, client.register_script(_SCRIPT))
        return found[1]

    def _judge(self, account_id: int, wanted: Sequence[Draw], answer: Sequence[bytes]) -> Decision:
        """What the script has answered; what was drawn ahead is kept, and counts as left."""
        levels = []
        for (action, _), left, drawn in zip(wanted, answer[:-1:2], answer[1::2], strict=True):
            self.ahead.keep((account_id, action), int(drawn), float(left))
            levels.append(float(left) + int(drawn))
        return self._decide(wanted, levels, allowed=answer[-1] == b"0")

    def _take_local(self, account_id: int, wanted: Sequence[Draw]) -> Decision:
        """A quarter of the rate: enough to go on, too little to overwhelm the database without a shared count."""
        now = time.monotonic()
        levels = []
        for action, _ in wanted:
            rule = self.rules[action]
            level, at = self.local.get((account_id, action), (rule.burst / 4, now))
            levels.append(min(rule.burst / 4, level + (now - at) * rule.per_s / 4))
        allowed = all(level >= min(cost, self.rules[action].burst / 4) for level, (action, cost) in zip(levels, wanted, strict=True))
        if allowed:
            levels = [level - cost for level, (_, cost) in zip(levels, wanted, strict=True)]
        if len(self.local) > 100_000:
            self.local.clear()
        for level, (action, _) in zip(levels, wanted, strict=True):
            self.local[account_id, action] = (level, now)
        return self._decide(wanted, levels, allowed=allowed)

    def _decide(self, wanted: Sequence[Draw], levels: Sequence[float], *, allowed: bool) -> Decision:
        if allowed:
            tightness = [-level / self.rules[action].burst for level, (action, _) in zip(levels, wanted, strict=True)]
        else:
            tightness = [
                (min(cost, self.rules[action].burst) - level) / self.rules[action].per_s
                for level, (action, cost) in zip(levels, wanted, strict=True)
            ]
        tightest = tightness.index(max(tightness))
        action, cost = wanted[tightest]
        rule, level = self.rules[action], levels[tightest]
        missing = max(0.0, min(cost, rule.burst) - level)
        return Decision(
            allowed=allowed,
            action=action,
            limit=rule.burst,
            per_s=rule.per_s,
            remaining=max(0, int(level)),
            reset_s=math.ceil((rule.burst - level) / rule.per_s),
            retry_after_s=0 if allowed else max(1, math.ceil(missing / rule.per_s)),
        )


def _keys(account_id: int, wanted: Sequence[Draw]) -> list[str]:
    return [f"rate:{account_id}:{action}" for action, _ in wanted]


def _free(draws: Sequence[Draw]) -> Decision:
    action = draws[0][0] if draws else "cancel"
    return Decision(allowed=True, action=action, limit=0, per_s=1, remaining=0, reset_s=0, retry_after_s=0)


_limiter: Limiter | None = None


def limiter() -> Limiter:
    """The limiter of the present process."""
    global _limiter  # noqa: PLW0603 - one per process, made on first use
    if _limiter is None:
        _limiter = Limiter()
    return _limiter


def draws_of(action: str, cost: int) -> tuple[Draw, ...]:
    """What one request draws: order entry counts its requests and, on their own, the orders inside."""
    return (("order_requests", 1), ("order", cost)) if action == "order" else ((action, cost),)


def check(account_id: int, action: str, cost: int = 1) -> dict[str, str]:
    """The answer's rate headers; raises RateLimited."""
    return _headers(limiter().take(account_id, *draws_of(action, cost)))


async def check_async(account_id: int, action: str, cost: int = 1) -> dict[str, str]:
    """`check` for event loops."""
    return _headers(await limiter().take_async(account_id, *draws_of(action, cost)))


def _headers(decision: Decision) -> dict[str, str]:
    if not decision.allowed:
        raise RateLimited(decision)
    return decision.headers()
