# SPDX-License-Identifier: MPL-2.0
"""What earlier runs have done, in little memory: a few bytes for each recording."""

import hashlib

from . import rows

DONE = -1


class Done:
    """Recordings by URI, version and settings: changed ones count as new."""

    def __init__(self, settings: str, max_attempts: int):
        self._settings, self._max_attempts = settings, max_attempts
        self._attempts: dict[bytes, int] = {}

    def add(self, row: dict) -> None:
        if row.get("settings") != self._settings:
            return
        name = self._name(row["uri"], row["version"])
        # What failed for good is not tried again, as if it were done.
        ended = row["status"] == rows.OK or not row["retryable"] and not rows.concerns_all(row)
        if ended or self._attempts.get(name) == DONE:
            # A run that was ended early leaves a failure beside the result that has come of it.
            self._attempts[name] = DONE
        else:
            self._attempts[name] = max(row["attempts"], self._attempts.get(name, 0))

    def attempts(self, uri: str, version: str) -> int | None:
        """How often it was tried; None if there is nothing left to do."""
        attempts = self._attempts.get(self._name(uri, version), 0)
        return None if attempts == DONE or attempts >= self._max_attempts else attempts

    def _name(self, uri: str, version: str) -> bytes:
        return hashlib.blake2b(f"{uri}\0{version}".encode(errors="surrogateescape"), digest_size=12).digest()
