"""Our own API, under /voxkeep/v1: what no vendor has a word for. Contract in openapi.yaml. Knows no vendor."""
