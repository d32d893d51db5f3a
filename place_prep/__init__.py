"""Distil the gazetteer of `chalicelib.places` from GeoNames and CLDR. Never deployed."""
