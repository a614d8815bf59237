"""bench/RESULTS.md: one section for each benchmark, replaced when it is run again."""

import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path

from bench.harness import Figure, Section

PAGE = Path(__file__).parent / "RESULTS.md"
HEAD = """# Benchmark results

Written by `make bench` (`python -m bench [NAME...] [--rows N] [--quick]`); each section tells its own machine, date,
data and command. Servers run on one core, their client on another; sides are measured in turns, figures are medians
over the rounds and ratios medians of each round's ratio. Ratios carry over to other machines, absolute figures do not.
"""
_MARK = "<!-- {} -->"
_VERDICT = {True: "met", False: "**not met**", None: ""}


def rendered(section: Section, command: str) -> str:
    """Return a section as Markdown."""
    lines = [
        f"## {section.title}",
        "",
        section.what,
        "",
        f"- Machine: {machine()}",
        f"- Date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"- Command: `{command}`",
        f"- Data: {section.data}",
        "",
        "| Figure | Measured | Goal | Met? |",
        "|---|---|---|---|",
        *(_line(figure) for figure in section.figures),
    ]
    if section.tables:
        lines += ["", section.tables]
    return "\n".join(lines) + "\n"


def _line(figure: Figure) -> str:
    return f"| {figure.what} | {figure.value} | {figure.goal} | {_VERDICT[figure.met]} |"


def put(name: str, text: str, page: Path = PAGE) -> None:
    """Put a section in its place on the page, or at its end."""
    mark = _MARK.format(name)
    old = page.read_text("utf-8") if page.exists() else HEAD
    block = f"{mark}\n{text}\n"
    parts = re.split(r"(?=^<!-- \w+ -->$)", old, flags=re.MULTILINE)
    found = [index for index, part in enumerate(parts) if part.startswith(f"{mark}\n")]
    if found:
        parts[found[0]] = block
    else:
        parts[-1] = parts[-1].rstrip("\n") + "\n\n"
        parts.append(block)
    page.write_text("".join(parts).rstrip("\n") + "\n", "utf-8")


def machine() -> str:
    """Return cores, processor, memory and Python in words."""
    processor = _first(Path("/proc/cpuinfo"), r"model name\s*:\s*(.+)") or platform.machine()
    memory_kb = int(_first(Path("/proc/meminfo"), r"MemTotal:\s*(\d+)") or 0)
    cores = os.cpu_count() or 1
    return (
        f"{cores} cores, {processor}, {memory_kb / 2**20:.0f} GiB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}"
    )


def _first(path: Path, pattern: str) -> str:
    match = re.search(pattern, path.read_text("utf-8")) if path.exists() else None
    return match[1].strip() if match else ""
