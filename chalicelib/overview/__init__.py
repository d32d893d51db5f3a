"""Build the overview: what is happening, where, since when, and in which posts."""
