"""8x8 Contact Center: its words, its Recordings API as we serve it, and the source that collects from it."""
