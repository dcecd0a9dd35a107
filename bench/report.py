"""The figures as a table and as a picture."""

from collections.abc import Iterator
from typing import Any

# Issue's marks: work, contender, and what the gateway's rate must be as a multiple of theirs.
GOALS = (
    ("W3", "nginx", 1.0),
    ("W3", "haproxy", 3.0),
    ("W2", "haproxy", 1.3),
    ("W4", "haproxy", 1.3),
    ("W2", "plain aiohttp", 8.0),
    ("W4", "plain aiohttp", 8.0),
    ("W2f", "haproxy", 0.9),
    ("W6a", "haproxy", 0.9),
    ("W6b", "haproxy", 0.9),
    ("W5", "haproxy", 1.0),
)
_COLOURS = ("#1f6feb", "#8b949e", "#2da44e", "#bf8700")


def table(told: dict[str, Any]) -> str:
    return "\n".join([*_lines(told), *_ratios(told)]) + "\n"


def _lines(told: dict[str, Any]) -> Iterator[str]:
    yield f"Made by `{told['command']}` on Python {told['python']}; medians."
    yield ""
    yield (
        "| work | contender | requests/s | CPU µs | p50 ms | p99 ms "
        "| p99 at 70 % ms | one, ms | RSS MiB | failed |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for work, rows in told["figures"].items():
        for name, figure in rows.items():
            cells = (
                f"{figure['per_second']:.0f}",
                f"{figure['cpu_microseconds']:.1f}",
                f"{1e3 * figure['p50']:.2f}",
                f"{1e3 * figure['p99']:.2f}",
                f"{1e3 * figure['p99_at_70_percent']:.2f}",
                f"{1e3 * figure['latency_of_one']:.3f}",
                f"{figure['rss_bytes'] / 2**20:.1f}",
                f"{figure['failed']:.0f}",
            )
            yield f"| {work} | {name} | {' | '.join(cells)} |"


def _ratios(told: dict[str, Any]) -> Iterator[str]:
    yield from (
        "",
        "| work | gateway to | by rate | by CPU | goal |",
        "| --- | --- | --- | --- | --- |",
    )
    for work, other, goal in GOALS:
        rows = told["figures"].get(work, {})
        if "gateway" not in rows or not rows.get(other, {}).get("per_second"):
            continue
        ours, theirs = rows["gateway"], rows[other]
        rate = ours["per_second"] / theirs["per_second"]
        cpu = theirs["cpu_microseconds"] / ours["cpu_microseconds"]
        yield f"| {work} | {other} | {rate:.2f} | {cpu:.2f} | {goal:g} |"


def plot(told: dict[str, Any]) -> str:
    """CPU time per request as bars, one group for each kind of work; an SVG."""
    works = list(told["figures"])
    names = list(dict.fromkeys(name for rows in told["figures"].values() for name in rows))
    # Beside the bars of W5 all others would look like nothing.
    shown = [work for work in works if work != "W5"] or works
    top = max(f["cpu_microseconds"] for work in shown for f in told["figures"][work].values())
    group, height = 22 * len(names) + 24, 240
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {60 + group * len(works)} 330" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        '<text x="12" y="20">CPU per request, µs (W5 cut off)</text>',
    ]
    for index, name in enumerate(names):
        x = 12 + 130 * index
        parts.append(f'<rect x="{x}" y="32" width="12" height="12" fill="{_COLOURS[index % 4]}"/>')
        parts.append(f'<text x="{x + 18}" y="42">{name}</text>')
    for at, work in enumerate(works):
        left = 40 + at * group
        parts.append(f'<text x="{left}" y="318">{work}</text>')
        for index, name in enumerate(names):
            figure = told["figures"][work].get(name)
            if figure is None:
                continue
            tall = min(1.0, figure["cpu_microseconds"] / top) * height
            x, y = left + 22 * index, 300 - tall
            parts.append(
                f'<rect x="{x}" y="{y:.1f}" width="18" height="{tall:.1f}" '
                f'fill="{_COLOURS[index % 4]}"/>'
                f'<text x="{x}" y="{y - 3:.1f}" font-size="9">{figure["cpu_microseconds"]:.0f}</text>'
            )
    return "\n".join([*parts, "</svg>"]) + "\n"
