"""The overview: what is happening, where, since when, and which posts show it."""
