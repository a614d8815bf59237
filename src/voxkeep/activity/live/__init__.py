"""Live metrics: what a wallboard shows, kept up to date by each event."""
