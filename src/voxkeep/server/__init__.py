"""The server: one port, every dialect mounted, what all of them share in front."""
