"""Make the mutants of a source file: one small change each, recognised also after other lines move."""

from __future__ import annotations

import difflib
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import libcst as cst
from libcst.metadata import ByteSpanPositionProvider, MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import (
    mutation_operators,
    operator_arg_removal,
    operator_string,
    operator_swap_op,
)

SWAPPED_CALLS = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}
FOR_PEOPLE = {"logger", "print", "error", "add_argument", "field"}
"""Calls whose texts are for people: a string with a space in one of them is not changed."""
OWN = (operator_arg_removal, operator_string, operator_swap_op)
"""Of mutmut's operators those of which only a part is used, for the rest does what others do too."""
LEFT_ALONE = {"len", "isinstance", "TypeVar", "NewType", "cast"}
"""Calls of which mutmut and this make no mutant: a wrong argument raises at once."""


@dataclass(frozen=True)
class Mutant:
    """One change of one file."""

    file: str  # relative to the root of the repository
    where: str  # the outermost function, as Class.method; "" for what runs on import
    line: int  # of the change, in the file as it is
    lines: tuple[int, ...]  # of the statement that is changed
    start: int  # the bytes that are replaced
    stop: int
    text: str  # what replaces them
    before: str  # the changed lines, white space as single spaces
    after: str
    around: str  # hash of the outermost function's text; of the changed lines for what runs on import
    nth: int = 0  # of those with the same key, in the order of the file

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Return what identifies it while the function's other lines change."""
        return self.file, self.where, self.before, self.after

    @property
    def name(self) -> tuple[str, str, str, str, int]:
        """Return what identifies it among all: there may be several of one key, in lines of the same text."""
        return *self.key, self.nth

    def applied(self, source: bytes) -> bytes:
        return source[: self.start] + self.text.encode() + source[self.stop :]


def mutants(file: str, source: bytes) -> list[Mutant]:
    """Return the mutants of a file, in the order of its lines, each different from the file and from the others."""
    found: dict[bytes, Mutant] = {}
    for mutant in _Walk(file, source).mutants():
        changed = mutant.applied(source)
        if changed != source and changed not in found and _compiles(changed):
            found[changed] = mutant
    ordered = sorted(found.values(), key=lambda mutant: (mutant.start, mutant.stop, mutant.text))
    count: Counter[tuple[str, str, str, str]] = Counter()
    for at, mutant in enumerate(ordered):
        ordered[at] = replace(mutant, nth=count[mutant.key])
        count[mutant.key] += 1
    return ordered


def _compiles(source: bytes) -> bool:
    try:
        compile(source, "mutant", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


class _Walk:
    """Goes through a file's syntax tree with what surrounds each node in mind."""

    def __init__(self, file: str, source: bytes) -> None:
        wrapper = MetadataWrapper(cst.parse_module(source))
        self.file, self.source, self.module = file, source, wrapper.module
        self.spans: Any = wrapper.resolve(ByteSpanPositionProvider)
        self.positions: Any = wrapper.resolve(PositionProvider)
        self.function = ""  # the text of the outermost function around what is looked at

    def mutants(self) -> Iterator[Mutant]:
        yield from self._visit(self.module, (), "", False, self.module)

    def _visit(self, node: Any, scope: tuple[str, ...], where: str, prose: bool, statement: Any) -> Iterator[Mutant]:
        """Yield the mutants below a node.

        `scope`: names of classes around it; `where`: the outermost function around it; `prose`: strings are for people;
        `statement`: the innermost statement around it.
        """
        if isinstance(node, cst.Annotation | cst.Decorator | cst.Import | cst.ImportFrom):
            return
        if isinstance(node, cst.If) and self.module.code_for_node(node.test) in {
            "TYPE_CHECKING",
            '__name__ == "__main__"',
        }:
            return
        if isinstance(node, cst.Expr) and isinstance(node.value, cst.SimpleString | cst.ConcatenatedString):
            return  # a docstring, or a comment below a constant
        if isinstance(node, cst.Raise) and "AssertionError" in self.module.code_for_node(node):
            return  # says that it can't be reached
        if isinstance(node, cst.Arg) and node.keyword and node.keyword.value == "strict":
            return  # of zip(): the linter's
        if isinstance(node, cst.BaseSmallStatement | cst.BaseCompoundStatement | cst.ExceptHandler):
            statement = node
        if isinstance(node, cst.Raise) or (isinstance(node, cst.Call) and FOR_PEOPLE & set(_names(node.func))):
            prose = True
        if isinstance(node, cst.Call) and LEFT_ALONE & set(_names(node.func)):
            return
        for changed, text in self._changes(node, prose):
            yield self._mutant(changed, text, where, statement)
        if isinstance(node, cst.FunctionDef) and not where:
            # its defaults are evaluated on import
            yield from self._visit(node.params, scope, "", prose, node)
            self.function = self._source(node)
            yield from self._visit(node.body, scope, ".".join([*scope, node.name.value]), prose, node)
            self.function = ""
            return
        if isinstance(node, cst.ClassDef):
            yield from self._visit(node.body, (*scope, node.name.value), where, prose, node)
            return
        for child in node.children:
            yield from self._visit(child, scope, where, prose, statement)

    def _changes(self, node: Any, prose: bool) -> Iterator[tuple[Any, str]]:
        """Yield (the node to replace, the text that replaces it)."""
        code = self.module.code_for_node
        for kind, operator in mutation_operators:
            if isinstance(node, kind) and operator not in OWN:
                for changed in operator(node):
                    yield node, code(changed)
        yield from self._text_changes(node, prose)
        if isinstance(node, cst.Call) and not prose:
            yield from self._argument_changes(node)
        if isinstance(node, cst.BinaryOperation | cst.ComparisonTarget | cst.AugAssign):
            for changed in operator_swap_op(node):
                yield node, code(changed)
        if isinstance(node, cst.If | cst.CompIf):
            yield node.test, f"(({code(node.test)}) and False)"
            yield node.test, f"(({code(node.test)}) or True)"
        elif isinstance(node, cst.While):
            yield node.test, f"(({code(node.test)}) and False)"
        elif isinstance(node, cst.BooleanOperation):
            yield node, code(node.left)
            yield node, code(node.right)
        elif isinstance(node, cst.Expr | cst.Raise | cst.AugAssign | cst.Del):
            yield node, "pass"
        elif isinstance(node, cst.Return) and node.value is not None and not _is(node.value, "None", "False"):
            yield node, "return None"
        elif isinstance(node, cst.For) and isinstance(node.body, cst.IndentedBlock):
            last, indent = node.body.body[-1], self.positions[node.body.body[0]].start.column
            yield last, f"{self._source(last)}\n{' ' * indent}break"
        elif isinstance(node, cst.ExceptHandler) and isinstance(node.body, cst.IndentedBlock):
            first = node.body.body[0]
            indent = self.positions[first].start.column
            if self._source(first) != "raise":
                yield first, f"raise\n{' ' * indent}{self._source(first)}"
        elif isinstance(node, cst.Subscript) and any(isinstance(each.slice, cst.Slice) for each in node.slice):
            yield node, code(node.value)
        elif isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value in SWAPPED_CALLS:
            yield node.func, SWAPPED_CALLS[node.func.value]

    def _argument_changes(self, call: Any) -> Iterator[tuple[Any, str]]:
        """Yield the call with an argument None, and without a named one; `strict` of zip() is the linter's."""
        for at, argument in enumerate(call.args):
            named = argument.keyword and argument.keyword.value
            if named != "strict" and not argument.star and not _is(argument.value, "None"):
                nothing = argument.with_changes(value=cst.Name("None"))
                changed = call.with_changes(args=[*call.args[:at], nothing, *call.args[at + 1 :]])
                if not _is(argument.value, "True", "False"):  # another operator exchanges these
                    yield call, self.module.code_for_node(changed)
                if named:
                    rest = [*call.args[:at], *call.args[at + 1 :]]
                    yield call, self.module.code_for_node(call.with_changes(args=rest))

    def _text_changes(self, node: Any, prose: bool) -> Iterator[tuple[Any, str]]:
        if isinstance(node, cst.SimpleString):
            if not (prose and " " in node.value):
                changed = next(iter(operator_string(node)), None)  # the others change its case alone
                if changed is not None:
                    yield node, self.module.code_for_node(changed)
        elif isinstance(node, cst.FormattedString) and not prose:
            for part in node.parts:
                if isinstance(part, cst.FormattedStringText):
                    yield part, f"XX{part.value}"
                    break

    def _source(self, node: Any) -> str:
        span = self.spans[node]
        return self.source[span.start : span.start + span.length].decode()

    def _mutant(self, node: Any, text: str, where: str, statement: Any) -> Mutant:
        span, position = self.spans[node], self.positions[node]
        start, stop = span.start, span.start + span.length
        first, last = self.source.rfind(b"\n", 0, start) + 1, self.source.find(b"\n", stop)
        line = self.source[first : last if last >= 0 else None].decode()
        changed = f"{self.source[first:start].decode()}{text}{self.source[stop:last].decode()}"
        before, after = _difference(line, changed)
        around = hashlib.sha256((self.function or before).encode()).hexdigest()[:16]
        lines = self._lines(statement, position)
        return Mutant(self.file, where, position.start.line, lines, start, stop, text, before, after, around)

    def _lines(self, statement: Any, changed: Any) -> tuple[int, ...]:
        """Return lines whose running tells that the change was met: those of the statement, of a block only its
        head.
        """
        position = self.positions[statement]
        body = getattr(statement, "body", None)
        last = position.end.line
        if isinstance(statement, cst.BaseCompoundStatement | cst.ExceptHandler) and body is not None:
            last = max(position.start.line, self.positions[body].start.line - 1)
        return tuple(sorted({*range(position.start.line, last + 1), changed.start.line}))


def _names(function: Any) -> Iterable[str]:
    while isinstance(function, cst.Attribute):
        yield function.attr.value
        function = function.value
    if isinstance(function, cst.Name):
        yield function.value


def _is(node: Any, *names: str) -> bool:
    return isinstance(node, cst.Name) and node.value in names


def _difference(before: str, after: str) -> tuple[str, str]:
    """Return the lines that differ, white space as single spaces."""
    old, new = before.splitlines(), after.splitlines()
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    changed = [code for code in matcher.get_opcodes() if code[0] != "equal"]
    if not changed:
        return "", ""
    a, b, c, d = changed[0][1], changed[-1][2], changed[0][3], changed[-1][4]
    if a == b and a:  # a line more: told by the one above it
        a, c = a - 1, c - 1
    elif a == b:  # or below it, where it is the first
        b, d = b + 1, d + 1
    return " ".join(" ".join(old[a:b]).split()), " ".join(" ".join(new[c:d]).split())
