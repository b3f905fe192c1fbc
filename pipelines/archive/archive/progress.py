# SPDX-License-Identifier: MPL-2.0
"""One line that tells how far a run is."""


class Progress:
    def __init__(self, now: float):
        self._begun = now
        self.listed = self.done = self.failed = self.skipped = 0
        self.hours = self.cost = 0.0
        self.is_listed = False

    def add(self, row: dict) -> None:
        self.done += 1
        self.failed += row["status"] != "ok"
        self.hours += (row["duration_s"] or 0.0) / 3600
        self.cost += row["cost_usd"] or 0.0

    def line(self, now: float) -> str:
        total = f"{self.listed}" if self.is_listed else f"{self.listed}+"
        parts = [f"{self.done} of {total} recordings", f"{self.hours:.2f} h", f"{self.cost:.2f} USD", f"{self.failed} failed"]
        if self.skipped:
            parts.append(f"{self.skipped} done before")
        if self.done and self.is_listed and self.listed > self.done:
            left = (now - self._begun) / self.done * (self.listed - self.done)
            parts.append(f"{duration(left)} left")
        return ", ".join(parts)


def duration(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
