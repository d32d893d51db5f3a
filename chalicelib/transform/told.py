"""Write the part of a row that follows `rows.facts`: the place and the text key.

Each of these functions decides one thing, independent of rows:

* `chalicelib.places.find(text, location) -> Place | None`: the place that the tweet speaks of;
* `chalicelib.places.settled(place, latitude, longitude) -> Place | None`: the same, of a tweet written at a point;
* `chalicelib.transform.text_key.text_key(cleaned) -> str | None`: the key that near-repeats share;
* `chalicelib.classifier.Prediction.information: tuple[str, float] | None`: what a relevant text tells, and how probable
  that is. It is the classifier's, so `bundled` tells it and `rows.said` writes it.

This part does not depend on the active classifier. Unknown values aren't written: COPY leaves their columns null.
"""

from __future__ import annotations

from chalicelib import places
from chalicelib.transform.text_key import text_key
from chalicelib.transform.unpack import Tweet

PLACE = b',"place":"%b","country_code":%b,"latitude":%.4f,"longitude":%.4f,"place_basis":"%b"'
TEXT_KEY = b',"text_key":"%b"'


def told(tweet: Tweet, cleaned: str) -> bytes:
    """Return the part. `cleaned`: the tweet's cleaned text."""
    key = text_key(cleaned)
    return (TEXT_KEY % key.encode() if key else b"") + where(tweet.text, tweet.location, tweet.point)


def where(text: str, location: str | None, point: tuple[float, float] | None = None) -> bytes:
    """Return the columns of the place that a tweet speaks of, if it does. 4 decimals of a degree are 11 metres.

    `point`: latitude and longitude at which it was written.
    """
    located = places.find(text, location)
    if point:
        located = places.settled(located, *point)
    if not located:
        return b""
    place, country_code, latitude, longitude, basis = located
    code = b'"%b"' % country_code.encode() if country_code else b"null"
    return PLACE % (place.encode(), code, latitude, longitude, basis.encode())
