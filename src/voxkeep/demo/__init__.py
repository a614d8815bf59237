"""The sample contact centre: real synthesised speech, invented people, served like a real archive."""
