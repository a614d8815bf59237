"""What is inside an audio file: probe, health, other forms, peaks, and a check of Ogg/Opus files.

Pure functions over bytes, paths and seekable binary files. The room knows no archive, no vendor and no HTTP.
PyAV and numpy are heavy, so only `decode`, `encode` and `levels` import them, and only when something is measured.
"""
