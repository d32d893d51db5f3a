"""A body that doesn't fit is answered 400 with the field's name and what is allowed."""

from typing import Any

import pytest
from chalice.app import BadRequestError
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.admin.validation import validate

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["data"],
    "properties": {
        "data": {"type": "string", "pattern": "^s3://", "description": "an object in S3"},
        "units": {"type": "integer", "minimum": 1, "maximum": 10, "default": 1},
        "language": {"enum": ["en", "es"]},
        "versions": {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1, "uniqueItems": True},
        "repair": {"type": "boolean"},
    },
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_a_body_that_fits_comes_back_with_defaults() -> None:
    assert validate({"data": "s3://b/k"}, SCHEMA) == {"data": "s3://b/k", "units": 1}


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({}, "Missing field data; allowed: data, language, repair, units, versions"),
        (
            {"date": "s3://b/k"},
            'Missing field data and unknown field "date"; allowed: data, language, repair, units, versions',
        ),
        ({"data": "s3://b/k", "": None}, 'Unknown field ""; allowed: data, language, repair, units, versions'),
        ({"data": "s3://b/k", "unit": 2}, 'Unknown field "unit"; allowed: data, language, repair, units, versions'),
        ({"data": 7}, "data must be a string (an object in S3), but is 7"),
        ({"data": "b/k"}, 'data must be an object in S3, but is "b/k"'),
        ({"data": "s3://b/k", "units": 11}, "units must be from 1 to 10, but is 11"),
        ({"data": "s3://b/k", "units": True}, "units must be a whole number, but is true"),
        ({"data": "s3://b/k", "language": "xx"}, 'language must be one of en, es, but is "xx"'),
        ({"data": "s3://b/k", "versions": []}, "versions must not be empty, but is []"),
        ({"data": "s3://b/k", "versions": [""]}, 'versions[0] must not be empty, but is ""'),
        ({"data": "s3://b/k", "versions": ["a", "a"]}, 'versions must not repeat an item, but is ["a", "a"]'),
        ({"data": "s3://b/k", "repair": "yes"}, 'repair must be true or false, but is "yes"'),
    ],
)
def test_the_complaint_names_the_field_and_what_is_allowed(body: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadRequestError) as error:
        validate(body, SCHEMA)
    assert str(error.value) == complaint


@given(st.dictionaries(st.sampled_from([*SCHEMA["properties"], "", "x\n\u2028"]), JSON))  # type: ignore[misc]
def test_any_json_object_is_either_taken_or_a_bad_request(body: dict[str, Any]) -> None:
    try:
        validate(body, SCHEMA)
    except BadRequestError as error:
        assert len(str(error)) < 400
