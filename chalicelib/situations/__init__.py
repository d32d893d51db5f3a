"""Situations: a kind of disaster, at a place, with far more distinct texts than its own past would have one expect."""
