"""`python -m bench [NAME...] [--rows N] [--quick]`: runs all benchmarks or the named ones.

Prints each result and puts it in its section of bench/RESULTS.md; the other sections stay as they are.
"""

import argparse
from collections.abc import Callable, Mapping

from bench import audio_route, audio_sender, audio_work, eightbyeight, kazoo, kazoo_push, keep, lists, search
from bench.harness import Options, Section
from bench.results import PAGE, put, rendered

BENCHMARKS: Mapping[str, Callable[[Options], Section]] = {
    "lists": lists.run,
    "search": search.run,
    "audio_sender": audio_sender.run,
    "audio_route": audio_route.run,
    "keep": keep.run,
    "audio_work": audio_work.run,
    "eightbyeight": eightbyeight.run,
    "kazoo": kazoo.run,
    "kazoo_push": kazoo_push.run,
}
ROWS = 10_000_000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all of them by default")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the archive that lists are read from")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it runs")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(BENCHMARKS):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    if arguments.rows < 1000:
        parser.error("--rows: at least 1000")
    options = Options(arguments.rows, arguments.quick)
    for name in arguments.names or BENCHMARKS:
        text = rendered(BENCHMARKS[name](options), command(name, options))
        print(text, flush=True)
        put(name, text)
    print(f"written to {PAGE}")


def command(name: str, options: Options) -> str:
    """Return the command that runs this one again."""
    parts = ["python -m bench", name]
    if name == "lists":
        parts.append(f"--rows {options.rows}")
    if options.quick:
        parts.append("--quick")
    return " ".join(parts)


if __name__ == "__main__":
    main()
