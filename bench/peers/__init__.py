"""What the archive is measured against: ordinary code, not made slow on purpose."""
