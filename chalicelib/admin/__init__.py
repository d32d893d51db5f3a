"""The admin API: one module an area, each view a function from a Request (and the path's parameters) to an Answer."""
