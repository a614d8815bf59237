"""Xima CCaaS: its words, its API as we serve it, and the source that collects from it."""
