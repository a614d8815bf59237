"""One archive for every recorded call: collects, keeps and serves call recordings through the vendors' own APIs.

Which room a line of code belongs in is told in docs/architecture.md.
"""

__version__ = "0.1.0"
