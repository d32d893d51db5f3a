"""Render reports and the overview as HTML pages, from templates that escape every value.

Each page is one file: its style is inside, nothing is fetched and nothing runs. `templates/style.css` has the one
palette for light, dark and paper; `charts` draws SVG in its colours.
"""
