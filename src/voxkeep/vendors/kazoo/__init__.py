"""2600Hz Kazoo: we speak as its recordings API, take pushes from clusters, and listen to clusters (seed 004)."""
