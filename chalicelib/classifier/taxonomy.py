"""List the kinds of disaster for the classifier, the warehouse's `disaster.disaster_kind` and the docs.

Groups and subgroups are EM-DAT's (https://doc.emdat.be/docs/data-structure-and-content/disaster-classification-system/);
EM-DAT leaves violence out, so `attack` and `conflict` are `Societal`, as in the UN's hazard definitions
(https://www.undrr.org/publication/hazard-information-profiles-hips). GLIDE codes: https://www.glidenumber.net.
"""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """A value of `disaster_label`. `''` where EM-DAT or GLIDE has no place for it."""

    code: str
    name: str
    group: str
    subgroup: str
    glide: str  # hazard code, two letters
    original_label: str  # the nearest label of the proof of concept this grew out of


KINDS = (
    Kind("earthquake", "Earthquake", "Natural", "Geophysical", "EQ", "disaster with earth"),
    Kind("tsunami", "Tsunami", "Natural", "Geophysical", "TS", "disaster with water"),
    Kind("volcano", "Volcanic activity", "Natural", "Geophysical", "VO", "disaster with fire"),
    Kind("landslide", "Landslide, mudslide, avalanche", "Natural", "Hydrological", "LS", "disaster with earth"),
    Kind("flood", "Flood", "Natural", "Hydrological", "FL", "disaster with water"),
    Kind("storm", "Storm: cyclone, tornado, lightning", "Natural", "Meteorological", "ST", "disaster with wind"),
    Kind("wildfire", "Wildfire", "Natural", "Climatological", "WF", "disaster with fire"),
    Kind("drought", "Drought", "Natural", "Climatological", "DR", "disaster with earth"),
    Kind("heat_wave", "Heat wave", "Natural", "Meteorological", "HT", "disaster with fire"),
    Kind("cold_wave", "Cold wave, snow, ice", "Natural", "Meteorological", "CW", "disaster with wind"),
    Kind("epidemic", "Epidemic", "Natural", "Biological", "EP", "Don't defined"),
    Kind("fire", "Fire of buildings or goods", "Technological", "Miscellaneous accident", "FR", "disaster with fire"),
    Kind("explosion", "Explosion, accidental", "Technological", "Industrial accident", "AC", "disaster with fire"),
    Kind(
        "transport_accident",
        "Accident on road, rail, water, in the air",
        "Technological",
        "Transport",
        "AC",
        "Don't defined",
    ),
    Kind(
        "building_collapse",
        "Collapse of a building",
        "Technological",
        "Miscellaneous accident",
        "AC",
        "disaster with earth",
    ),
    Kind(
        "industrial_accident",
        "Industrial accident, spill",
        "Technological",
        "Industrial accident",
        "AC",
        "disaster with fire",
    ),
    Kind("haze", "Haze, smog", "Technological", "Industrial accident", "OT", "disaster with fire"),
    Kind("attack", "Attack: bombing, shooting, terror", "Societal", "Violence", "", "disaster with weapons"),
    Kind("conflict", "Armed conflict, unrest", "Societal", "Conflict", "CE", "disaster with weapons"),
    Kind("meteorite", "Meteorite", "Natural", "Extra-terrestrial", "OT", "disaster with fire"),
    Kind("other_disaster", "Another kind of disaster", "", "", "OT", "Don't defined"),
    Kind("unspecified", "A disaster whose kind the text doesn't tell", "", "", "", "Don't defined"),
    Kind("not_disaster", "Speaks of no disaster", "", "", "", "Don't defined"),
)
"""In the order of the docs; the last two are no kinds but the lack of one."""

CODES = tuple(kind.code for kind in KINDS)
