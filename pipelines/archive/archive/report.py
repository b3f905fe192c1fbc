# SPDX-License-Identifier: MPL-2.0
"""A summary page of a run: numbers, histograms and what failed. One file, without scripts and without a network."""

import collections
import html
import math

BARS = 24
STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top}
svg{width:100%;max-width:40rem;height:auto}rect{fill:#3568c8}text{font:11px system-ui,sans-serif;fill:currentColor}
@media(prefers-color-scheme:dark){body{background:#16181c;color:#e8e8e8}rect{fill:#7ea6f0}}"""


def histogram(values: list[float], unit: str) -> str:
    """Bars over values of which the largest are many times the smallest: the scale is logarithmic where it has to be."""
    values = [value for value in values if value is not None and math.isfinite(value) and value >= 0]
    if not values:
        return "<p>No values.</p>"
    low, high = min(values), max(values)
    is_log = low > 0 and high / low > 100
    place = (lambda value: math.log(value / low) / math.log(high / low)) if is_log else (lambda value: (value - low) / ((high - low) or 1))
    counts = [0] * BARS
    for value in values:
        counts[min(BARS - 1, int(place(value) * BARS))] += 1
    tallest = max(counts)
    bars = "".join(
        f'<rect x="{index * 20 + 1}" y="{100 - count / tallest * 100:.1f}" width="18" height="{count / tallest * 100:.1f}"><title>{count}</title></rect>'
        for index, count in enumerate(counts)
        if count
    )
    middle = sorted(values)[len(values) // 2]
    label = f"{low:.3g} to {high:.3g} {unit}, median {middle:.3g} {unit}{', logarithmic' if is_log else ''}"
    return f'<svg viewBox="0 0 480 120" role="img" aria-label="{label}">{bars}<text x="0" y="115">{label}</text></svg>'


def page(table: list[dict], stopped: str | None) -> str:
    """`table`: rows, of which only the small fields are needed."""
    ok = [row for row in table if row["status"] == "ok"]
    failed = [row for row in table if row["status"] != "ok"]
    hours = sum(row["duration_s"] or 0 for row in ok) / 3600
    cost = sum(row["cost_usd"] or 0 for row in table)
    kinds = collections.Counter(row["error_kind"] for row in failed)
    numbers = [("recordings", len(table)), ("done", len(ok)), ("failed", len(failed)), ("hours done", f"{hours:.2f}"), ("cost", f"{cost:.2f} USD")]
    cells = "".join(f"<tr><th>{name}<td>{value}" for name, value in numbers)
    errors = "".join(f"<tr><td>{html.escape(str(kind))}<td>{count}" for kind, count in kinds.most_common())
    listed = "".join(
        f"<tr><td>{html.escape(row['uri'])}<td>{html.escape(str(row['error_kind']))}<td>{html.escape(row['error'] or '')}" for row in failed[:200]
    )
    more = f"<p>… and {len(failed) - 200} more in failed.jsonl</p>" if len(failed) > 200 else ""
    note = f"<p><strong>Stopped:</strong> {html.escape(stopped)}</p>" if stopped else ""
    plots = "".join(
        f"<h2>{title}</h2>{histogram(values, unit)}"
        for title, values, unit in (
            ("Length", [row["duration_s"] for row in ok], "s"),
            ("Cost", [row["cost_usd"] for row in ok], "USD"),
            ("Time it took", [row["wall_s"] for row in ok], "s"),
        )
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Archive</title><style>{STYLE}</style><h1>Archive</h1>{note}'
        f"<table>{cells}</table>{plots}<h2>Errors</h2><table>{errors or '<tr><td>none'}</table><h2>Failed</h2><table>{listed}</table>{more}</html>\n"
    )
