"""Posts as they are written: what a source says, which of it is forwarded, and how far it was read."""
