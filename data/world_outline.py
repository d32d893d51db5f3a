"""Make the map's outlines, chalicelib/pages/world.txt, from Natural Earth's countries at 1:110 million.

Natural Earth is in the public domain: www.naturalearthdata.com/about/terms-of-use. Its countries are in the package
geopandas up to 0.14, from where they are read, so that no download of its own is needed. Made once, in a folder of
one's own:

    python3 -m venv outline && outline/bin/pip install pyshp
    outline/bin/pip download --no-deps 'geopandas==0.14.4' && unzip geopandas-0.14.4-py3-none-any.whl
    outline/bin/python data/world_outline.py geopandas/datasets/naturalearth_lowres/naturalearth_lowres.shp

What comes out is the `d` of an SVG path: x is the longitude, y the latitude downwards, both in fifths of a degree.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

UNITS = 5  # a degree
SOUTH = -60.0  # what lies below is the Antarctic, which has no posts
OUTPUT = Path(__file__).parents[1] / "chalicelib" / "pages" / "world.txt"

Point = tuple[int, int]


def rounded(ring: list[tuple[float, float]]) -> list[Point]:
    """Return the points of a ring in the map's units, without those that fall onto their predecessor."""
    points = [(round(longitude * UNITS), round(-latitude * UNITS)) for longitude, latitude in ring]
    return [point for n, point in enumerate(points) if not n or point != points[n - 1]]


def path(points: list[Point]) -> str:
    """Return a closed ring as part of an SVG path: its first point, and from each the step to the next."""
    steps = (f"{x - x0} {y - y0}" for (x0, y0), (x, y) in pairwise(points[:-1]))
    x, y = points[0]
    return f"M{x} {y}l{' '.join(steps)}z".replace(" -", "-")


def main() -> None:
    import shapefile

    parts = []
    for shape in shapefile.Reader(sys.argv[1]).shapes():
        ends = [*shape.parts[1:], len(shape.points)]
        for begin, end in zip(shape.parts, ends, strict=True):
            ring = shape.points[begin:end]
            points = rounded(ring)
            if len(points) > 3 and max(latitude for _, latitude in ring) > SOUTH:
                parts.append(path(points))
    OUTPUT.write_text("".join(parts) + "\n")
    print(f"{OUTPUT.name}: {OUTPUT.stat().st_size:,} bytes, {len(parts)} rings")


if __name__ == "__main__":
    main()
