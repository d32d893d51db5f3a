"""Where a text speaks of: `find` names the place; it and the gazetteer are loaded when first asked for.

`find` reads the tweet, `mentions` the names in its text, `context` and `hashtags` decide what a name means,
`coordinates` settles it for a tweet written at a point, and `gazetteer` holds the names. `place_prep` makes the
gazetteer.
"""

from chalicelib.places.coordinates import settled
from chalicelib.places.find import Place, find

__all__ = ["Place", "find", "settled"]
