"""Everything known about one vendor stands in one folder; vendors never import each other."""
