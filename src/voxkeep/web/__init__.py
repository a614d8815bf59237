"""What every HTTP face needs and no vendor owns, as plain ASGI: audio by Range, streamed lists, limits, errors.

Knows no vendor, no database, no vault and no user. A recording reaches it as an `audio.AudioBody`, a list as an
iterator of encoded chunks; statuses and error bodies in a vendor's words are shaped by that vendor's own room.
"""
