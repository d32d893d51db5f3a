"""Find the place that a text speaks of. `find` and the gazetteer are loaded at their first use.

`find` reads the tweet, `mentions` the names in its text, `context` and `hashtags` decide what a name means,
`coordinates` settles it for a tweet written at a point, and `gazetteer` holds the names. `place_prep` makes the
gazetteer.
"""

from chalicelib.places.coordinates import settled
from chalicelib.places.find import Place, find

__all__ = ["Place", "find", "settled"]
