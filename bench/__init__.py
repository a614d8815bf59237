"""Benchmarks: each module measures one path against its peers and prints one table. Run by `make bench`."""
