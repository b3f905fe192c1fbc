# SPDX-License-Identifier: MPL-2.0
"""What one account allows, shared by all workers: sessions at once, starts and tokens a minute, and a budget.

Time is an argument, so that a test needs no clock. A worker that dies does not give its lease back: it ends by itself.
"""

import collections
import dataclasses
import itertools

WINDOW_S = 60.0
# After the server has pushed back, the rate is halved, at most once in so many seconds, and grows back by a tenth in the same.
SLOW_DOWN_S = 10.0
LEAST_FACTOR = 1 / 16


@dataclasses.dataclass(frozen=True)
class Grant:
    """A session may be started. It has to be renewed within `ttl` seconds, again and again."""

    lease: int
    ttl: float


@dataclasses.dataclass(frozen=True)
class Wait:
    """Ask again in so many seconds."""

    seconds: float


@dataclasses.dataclass(frozen=True)
class Stop:
    """Nothing more is given out."""

    reason: str


class Limits:
    """Leases of sessions. A limit that is 0 does not hold."""

    def __init__(self, sessions: int = 0, starts_per_minute: int = 0, tokens_per_minute: int = 0, max_cost: float = 0.0, ttl: float = 60.0):
        self._sessions, self._starts_per_minute = sessions, starts_per_minute
        self._tokens_per_minute, self._max_cost, self._ttl = tokens_per_minute, max_cost, ttl
        self._leases: dict[int, float] = {}
        self._numbers = itertools.count(1)
        self._starts: collections.deque[float] = collections.deque()
        self._tokens: collections.deque[tuple[float, int]] = collections.deque()
        self._factor, self._slowed_at = 1.0, None
        self._stopped: str | None = None
        self.spent, self._finished, self.peak = 0.0, 0, 0

    def acquire(self, now: float) -> Grant | Wait | Stop:
        """Asks for a session."""
        self._expire(now)
        if self._stopped:
            return Stop(self._stopped)
        if self._max_cost and self.spent >= self._max_cost:
            return Stop(f"the budget of {self._max_cost:.2f} USD is used up ({self.spent:.2f} USD)")
        wait = max(self._wait_for_session(), self._wait_for_start(now), self._wait_for_tokens(now), self._wait_for_budget())
        if wait > 0:
            return Wait(wait)
        lease = next(self._numbers)
        self._leases[lease] = now + self._ttl
        self._starts.append(now)
        self.peak = max(self.peak, len(self._leases))
        return Grant(lease, self._ttl)

    def renew(self, lease: int, now: float) -> bool:
        """Holds a lease for another while. False: it had ended, and the session does not count any more."""
        self._expire(now)
        if lease not in self._leases:
            return False
        self._leases[lease] = now + self._ttl
        return True

    def release(self, lease: int, now: float, tokens: int = 0, cost: float = 0.0) -> None:
        """Ends a session, also one whose lease had ended: its cost counts in any case."""
        self._leases.pop(lease, None)
        self.spent += cost
        self._finished += 1
        if tokens:
            self._tokens.append((now, tokens))

    def slow_down(self, now: float) -> None:
        """The server has pushed back, at one of all: all begin fewer sessions."""
        self._recover(now)
        if self._slowed_at is None or now - self._slowed_at >= SLOW_DOWN_S:
            self._factor = max(LEAST_FACTOR, self._factor / 2)
            self._slowed_at = now

    def stop(self, reason: str) -> None:
        """Nothing more is given out."""
        self._stopped = self._stopped or reason

    def open(self, now: float) -> int:
        """How many sessions are open."""
        self._expire(now)
        return len(self._leases)

    def _expire(self, now: float) -> None:
        self._leases = {lease: end for lease, end in self._leases.items() if end > now}
        while self._starts and self._starts[0] <= now - WINDOW_S:
            self._starts.popleft()
        while self._tokens and self._tokens[0][0] <= now - WINDOW_S:
            self._tokens.popleft()
        self._recover(now)

    def _recover(self, now: float) -> None:
        if self._slowed_at is not None and self._factor < 1.0:
            steps = int((now - self._slowed_at) // SLOW_DOWN_S)
            if steps > 1:
                self._factor = min(1.0, self._factor + 0.1 * (steps - 1))
                self._slowed_at += (steps - 1) * SLOW_DOWN_S

    def _allowed(self, limit: int) -> int:
        return max(1, int(limit * self._factor))

    def _wait_for_session(self) -> float:
        # Without a limit, a server that pushes back still gets half of what is open.
        limit = self._sessions or (self.peak if self._factor < 1.0 else 0)
        return 1.0 if limit and len(self._leases) >= self._allowed(limit) else 0.0

    def _wait_for_start(self, now: float) -> float:
        if not self._starts_per_minute or len(self._starts) < self._allowed(self._starts_per_minute):
            return 0.0
        begun = self._starts[-self._allowed(self._starts_per_minute)]
        return max(0.05, begun + WINDOW_S - now)

    def _wait_for_tokens(self, now: float) -> float:
        if not self._tokens_per_minute or sum(tokens for _, tokens in self._tokens) < self._tokens_per_minute * self._factor:
            return 0.0
        return max(0.05, self._tokens[0][0] + WINDOW_S - now)

    def _wait_for_budget(self) -> float:
        """Sessions in flight will cost about as much as those before; the last of the budget is not given out twice."""
        if not self._max_cost or not self._finished:
            return 0.0
        expected = self.spent + len(self._leases) * self.spent / self._finished
        return 1.0 if self._leases and expected >= self._max_cost else 0.0
