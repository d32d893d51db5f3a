"""Pages for people: reports and the overview as HTML, from templates that escape what is put into them.

Each page is one file: its style is inside, nothing is fetched and nothing runs. `templates/style.css` has the one
palette for light, dark and paper; `charts` draws SVG in its colours.
"""
