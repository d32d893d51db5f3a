"""Validate request bodies by their JSON Schemas. An error is a 400 that names the field and what is allowed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, cast

from chalice.app import BadRequestError

TYPES = {
    "object": "a JSON object",
    "array": "a list",
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}


@lru_cache
def _compiled(schema: str) -> Callable[[Any], Any]:
    import fastjsonschema  # compiles to plain Python: some 10 ms once, microseconds a body

    return cast("Callable[[Any], Any]", fastjsonschema.compile(json.loads(schema)))


def validate(body: dict[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body with the schema's defaults filled in. `schema` is JSON Schema (draft 7); its root is an object.

    Raises BadRequestError naming the field and what is allowed. A field's `description` is quoted in the message.
    """
    from fastjsonschema import JsonSchemaValueException

    try:
        return cast("dict[str, Any]", _compiled(json.dumps(schema))(body))
    except JsonSchemaValueException as error:
        raise BadRequestError(complaint(error.name, error.rule, error.definition, error.value)) from None


def complaint(name: str, rule: str, definition: Mapping[str, Any], value: Any) -> str:
    """Return one sentence that names the field (`data.versions[0]` → `versions[0]`), what is wrong and what is
    allowed.
    """
    field = shown(name.removeprefix("data").removeprefix(".")).strip('"')
    if rule in {"additionalProperties", "required"}:
        allowed = sorted(definition.get("properties", {}))
        missing = [key for key in definition.get("required", ()) if key not in value]
        unknown = sorted(str(key) for key in value if key not in allowed)
        wrong = [f"missing field {', '.join(missing)}"] if missing else []
        wrong += [f"unknown field {shown(', '.join(unknown))}"] if unknown else []
        place = f" in {field}" if field else ""
        sentence = " and ".join(wrong)
        return f"{sentence[0].upper()}{sentence[1:]}{place}; allowed: {', '.join(allowed) or 'none'}"
    hint = definition.get("description", "")
    if rule == "pattern" and hint:  # better words than a regular expression
        what = f"be {hint}"
    else:
        what = f"{requirement(rule, definition)}{f' ({hint})' if hint else ''}"
    return f"{field or 'The body'} must {what}, but is {shown(value)}"


def requirement(rule: str, definition: Mapping[str, Any]) -> str:
    """Describe the rule that failed in words."""
    limit = definition.get(rule)
    if rule == "type":
        types = [limit] if isinstance(limit, str) else list(limit or ())
        return "be " + " or ".join(TYPES.get(name, name) for name in types)
    if rule in {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}:
        low, high = definition.get("minimum"), definition.get("maximum")
        return f"be from {low} to {high}" if low is not None and high is not None else f"keep to {rule} {limit}"
    return {
        "enum": f"be one of {', '.join(map(str, definition.get('enum', ())))}",
        "const": f"be {limit}",
        "minLength": "not be empty" if limit == 1 else f"have at least {limit} characters",
        "maxLength": f"have at most {limit} characters",
        "minItems": "not be empty" if limit == 1 else f"have at least {limit} items",
        "maxItems": f"have at most {limit} items",
        "uniqueItems": "not repeat an item",
        "pattern": f"match {limit}",
        "format": f"be a {limit}",
    }.get(rule, f"keep to {rule} {limit}")


def shown(value: Any, most: int = 80) -> str:
    """Return the value as JSON, cut, so that a hostile body is not repeated at length."""
    text = json.dumps(value, default=str)
    return text if len(text) <= most else text[: most - 1] + "…"
