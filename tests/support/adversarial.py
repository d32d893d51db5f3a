"""Derive texts that may take a pattern long from the pattern itself, and measure how time grows with them.

A backtracking matcher is slow where a quantified part can match and then has to give back. So for every quantified part
there are texts that repeat what it matches: alone, after all that must stand before it, with and without what
follows, alternating with what other parts match, and nested.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from re import _compiler, _parser  # type: ignore[attr-defined]  # isort: skip

MOST = 2.5
"""Times that twice the text may take. Linear time is 2, quadratic 4; the rest is for the machine's other work."""
TRIES = 7
LIMIT = 1.0  # seconds of CPU time that anything may take: then it counts as endless
CANDIDATES = "aZ0_ \t\n'\"#@:/&;-.=,x{}[]\\é한\u0301\u0089‰ÛåÃ\ufffe"
Shape = Callable[[int], str]
"""Makes a text of about so many characters."""

# ------------------------------------------------------------------ which patterns there are


def modules(package: str) -> list[ModuleType]:
    """Return all modules of a package."""
    root = importlib.import_module(package)
    names = [found.name for found in pkgutil.walk_packages(root.__path__, f"{package}.")]
    return [root, *map(importlib.import_module, names)]


def patterns(module: ModuleType) -> dict[str, re.Pattern[Any]]:
    """Return the patterns of a module: those that its globals hold, and those that its code spells out.

    Raises ValueError for a pattern that is made when the code runs: nobody could tell how long it takes.
    """
    found = {f"{module.__name__}.{name}": value for name, value in _held(vars(module))}
    source = Path(str(module.__file__)).read_text()
    tree = ast.parse(source)
    at_top = {id(node) for each in tree.body if isinstance(each, ast.Assign | ast.AnnAssign) for node in ast.walk(each)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or id(node) in at_top:
            continue
        if ast.unparse(node.func.value) != "re" or node.func.attr == "escape":
            continue
        if not (node.args and isinstance(node.args[0], ast.Constant)):
            raise ValueError(f"{module.__name__}:{node.lineno} makes a pattern when it runs: make it a constant")
        found[f"{module.__name__}:{node.lineno}"] = re.compile(node.args[0].value)
    return found


def _held(names: dict[str, Any]) -> Iterator[tuple[str, re.Pattern[Any]]]:
    for name, value in names.items():
        inside = (
            value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple | set) else (value,)
        )
        if not name.startswith("__"):
            for each in inside:
                for one in each if isinstance(each, tuple) else (each,):
                    if isinstance(one, re.Pattern):
                        yield name, one


# ------------------------------------------------------------------ texts from a pattern


def shapes(pattern: re.Pattern[Any]) -> dict[str, Shape]:
    """Return the texts that a pattern itself suggests, by a description."""
    encoded = isinstance(pattern.pattern, bytes)
    walk = _Walk(pattern.flags & ~re.UNICODE if encoded else pattern.flags)
    source = pattern.pattern.decode("latin-1") if encoded else pattern.pattern
    whole = walk.sequence(_parser.parse(source, walk.flags), "")
    parts = list(dict.fromkeys(walk.parts))
    found: dict[str, Shape] = {}
    for before, part in parts:
        for end in ("", "\0"):
            found[f"{before!r} + {part!r} * n + {end!r}"] = _one(before, part, end)
        found[f"({before!r} + {part!r}) * n"] = _one("", before + part)
        found[f"({before!r} + {part!r} * 50) * n"] = _one("", before + part * 50)
    firsts = [*dict(parts).items(), ("", "a"), ("", " ")]
    for before, part in firsts:
        for _, other in firsts:
            if other != part:
                found[f"({part!r} + {other!r}) * n"] = _one("", part + other)
                found[f"{before!r} + {part!r} * n + {other!r} * n"] = _two(before, part, other)
    for length in range(1, min(len(whole), 8) + 1):
        found[f"{whole[:length]!r} * n"] = _one("", whole[:length])
    return once(found)


def once(found: dict[str, Shape]) -> dict[str, Shape]:
    """Return each text once, though several descriptions give it."""
    return dict({shape(300): (name, shape) for name, shape in found.items()}.values())


def _one(before: str, unit: str, after: str = "") -> Shape:
    return lambda n: before + _fill(unit, n) + after


def _two(before: str, unit: str, other: str) -> Shape:
    return lambda n: before + _fill(unit, n // 2) + _fill(other, n // 2)


def _fill(unit: str, size: int) -> str:
    return unit * max(1, size // len(unit))


class _Walk:
    """Makes a matching text, and notes each quantified part: (what must stand before it, what it matches)."""

    def __init__(self, flags: int) -> None:
        self.flags = flags
        self.parts: list[tuple[str, str]] = []

    def sequence(self, nodes: Any, before: str) -> str:
        text = ""
        for op, value in nodes:
            text += self.node(str(op), value, before + text, nodes.state)
        return text

    def node(self, op: str, value: Any, before: str, state: Any) -> str:
        if op in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            least, most, body = value
            part = self.sequence(body, before)
            members = [part]
            if len(body) == 1:
                members = self.members(body[0], state) or [part]
            if int(most) > 1:
                self.parts += [(before, each) for each in members if each]
            return members[0] * max(1, min(least, 1000)) if most else ""
        if op == "BRANCH":
            return self.branch(value[1], before)
        if op == "SUBPATTERN":
            return self.sequence(value[3], before)
        if op == "ATOMIC_GROUP":
            return self.sequence(value, before)
        if op in ("AT", "ASSERT_NOT", "ASSERT", "GROUPREF"):
            return ""
        return (self.members((op, value), state) or [""])[0]

    def branch(self, branches: Any, before: str) -> str:
        texts = [self.sequence(each, before) for each in branches]  # all, for their parts
        return texts[0]

    def members(self, node: Any, state: Any) -> list[str]:
        """Return some characters that a node of one character matches, the first of each sort."""
        op, value = node
        name = str(op)
        if name not in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
            return []
        if name == "LITERAL":
            return [chr(value)]
        op = {str(each): each for each in vars(_parser).values() if type(each).__name__ == "_NamedIntConstant"}[name]
        one = _compiler.compile(_parser.SubPattern(state, [(op, value)]), self.flags)
        own = [chr(each[1]) for each in value if str(each[0]) == "LITERAL"] if name == "IN" else []
        ranges = [chr(each[1][0]) for each in value if str(each[0]) == "RANGE"] if name == "IN" else []
        return [each for each in dict.fromkeys([*own[:3], *ranges[:3], *CANDIDATES]) if one.fullmatch(each)][:4]


# ------------------------------------------------------------------ how time grows


def slower(run: Callable[[str], object], shape: Shape, size: int, doublings: int = 1) -> float:
    """Return how many times as long `run` takes over a text of twice the size; where that is much, by the best tries.

    Where it stays much, larger texts decide: what is quadratic takes four times as long at every size, while a step in
    the time of what is linear, as a processor's cache makes it, is at one size alone.

    0 where even the double takes so little that no step of it can be quadratic: a millisecond for 32,768 characters is
    a picosecond for a pair of them. CPU time of this thread: what else the machine does counts little.
    """
    for n in (32, 256, 2048):  # what takes exponential time must not get the full size at once
        if (took := _seconds(run, shape(n))) >= LIMIT:
            return took
        if took > 0.02:
            size = n
            break
    single, double = shape(size), shape(2 * size)
    twice = [_seconds(run, double)]
    if twice[0] < 0.001 * (size / 16_384) ** 2:
        return 0.0
    once = [_seconds(run, single)]
    while (found := min(twice) / min(once)) > MOST and len(once) < TRIES and twice[0] < LIMIT:
        once.append(_seconds(run, single))
        twice.append(_seconds(run, double))
    if found > MOST and doublings and twice[0] < LIMIT / 4:
        return slower(run, shape, 2 * size, doublings - 1)
    return found


def _seconds(run: Callable[[str], object], text: str) -> float:
    signal.setitimer(signal.ITIMER_VIRTUAL, LIMIT)
    try:
        began = time.thread_time()
        run(text)
        return max(time.thread_time() - began, 1e-6)
    except _TooLongError:
        return 1e6
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


class _TooLongError(BaseException):
    pass


def _stop(*_: object) -> None:
    raise _TooLongError


signal.signal(signal.SIGVTALRM, _stop)
