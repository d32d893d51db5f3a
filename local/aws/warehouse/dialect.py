"""Translate Redshift's SQL into DuckDB's: text in, statements out. What has no equal here is refused by name.

sqlglot does most of it. Here is the rest: physical design is dropped, VARCHAR counts bytes, keys aren't enforced, SUPER
is JSON, and what the two would silently answer differently (positions in arrays, averages of integers) is made equal.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from sqlglot import exp, parse, parse_one, tokenize
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import TokenType

from local.aws.warehouse import strict
from local.aws.warehouse.errors import UnsupportedError, WarehouseError

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of each statement that it leaves as it is

LONGEST_VARCHAR = 65_535  # bytes: docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html
DATABASE = "tweets"
"""By which a name may begin: docs.aws.amazon.com/redshift/latest/dg/cross-database_usage.html"""
PLAIN_VARCHAR = 256  # of a VARCHAR or TEXT without a length

NOTHING = re.compile(
    r"\s*(?:VACUUM|ANALYZE|LOCK|GRANT|REVOKE|COMMENT\s+ON|SET|RESET|REFRESH\s+MATERIALIZED"
    r"|(?:CREATE|ALTER|DROP)\s+(?:USER|GROUP)|ALTER\s+(?:ROLE|DEFAULT\s+PRIVILEGES|SCHEMA|DATABASE)"
    r"|ALTER\s+TABLE\s+\S+\s+(?:OWNER|ALTER\s+(?:DIST\w*|SORTKEY|COMPOUND|COLUMN\s+\w+\s+ENCODE|ENCODE)))\b",
    re.IGNORECASE,
)
"""Of no meaning on one machine with one user: accepted, and nothing happens."""

REFUSED = re.compile(
    r"\s*(CALL|CREATE\s+(?:OR\s+REPLACE\s+)?(?:PROCEDURE|FUNCTION|EXTERNAL\s+\w+|LIBRARY|DATASHARE|MODEL|DATABASE)"
    r"|DECLARE|FETCH|PREPARE|EXECUTE|BEGIN|START\s+TRANSACTION|COMMIT|ROLLBACK|END|ABORT)\b",
    re.IGNORECASE,
)
SERIALIZABLE = re.compile(r"ALTER\s+DATABASE\s.*\bISOLATION\s+LEVEL\s+SERIALIZABLE\b", re.IGNORECASE | re.DOTALL)
DESIGNED = re.compile(r"(?:CREATE|ALTER)\b", re.IGNORECASE)
ROLE = re.compile(r"\s*(CREATE|DROP)\s+ROLE\s+(\w+)", re.IGNORECASE)
APPEND = re.compile(r"\s*ALTER\s+TABLE\s+(\S+)\s+APPEND\s+FROM\s+(\S+)\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class Translation:
    """What DuckDB runs for one statement, the last of which gives its result; none where there is nothing to do."""

    statements: tuple[str, ...]
    reads: bool = False  # a result comes back, and nothing changes
    like: Like | None = None
    replaced: str = ""  # the view that CREATE OR REPLACE VIEW makes anew
    widths: Widths | None = None


@dataclass(frozen=True)
class Widths:
    """Bytes of text columns that ALTER TABLE adds or widens: DuckDB alters no CHECK, so the table is made anew."""

    table: str
    columns: Mapping[str, int]
    widens: bool  # columns that are there


@dataclass(frozen=True)
class Like:
    """CREATE TABLE … (LIKE …): what stands before the columns, the table that they are taken from, and how."""

    create: str
    source: str
    defaults: bool


IDENTITY = re.compile(r"\bIDENTITY\b", re.IGNORECASE)
PLACE = re.compile("'\ue000([^\ue001]*)\ue001'")
"""Where a parameter's value goes in a translated statement. The characters are of Unicode's private use area."""

LEADING = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/)*", re.DOTALL)


def bare(sql: str) -> str:
    """Without what stands before and after the statement: comments, space, a semicolon."""
    return LEADING.sub("", sql, count=1).strip().rstrip(";")


def is_copy(sql: str) -> bool:
    return bare(sql)[:4].upper() == "COPY"


def translate(sql: str, parameters: Mapping[str, str] | None = None) -> Translation:
    """`:name` becomes what `parameters` say, as a literal that takes its type from where it stands, as in Redshift.

    Raises UnsupportedError; WarehouseError for a syntax error or a parameter that is not given.
    """
    text = bare(sql)
    if DESIGNED.match(text):
        strict.check_design(text)
    if refused := REFUSED.match(text):
        raise UnsupportedError(f"ERROR: the local warehouse does not do {' '.join(refused[1].upper().split())}")
    if SERIALIZABLE.match(text):
        raise UnsupportedError("ERROR: the local warehouse does not do ALTER DATABASE … ISOLATION LEVEL SERIALIZABLE")
    if role := ROLE.match(text):
        return Translation((_role(role[1].upper(), role[2].lower()),))
    if NOTHING.match(text):
        return Translation(())
    if append := APPEND.match(text):
        target, source = append.groups()
        return Translation((f"INSERT INTO {target} BY NAME SELECT * FROM {source}", f"DELETE FROM {source}"))  # noqa: S608
    again = _translated.__wrapped__ if IDENTITY.search(text) else _translated  # each table has a sequence of its own
    translation, wanted = again(text)
    given = parameters or {}
    for name in wanted:
        if name not in given:
            raise WarehouseError(f"ERROR: Parameter {name!r} has no value")
    if not wanted:
        return translation

    def literal(place: re.Match[str]) -> str:
        return exp.Literal.string(given[place[1]]).sql("duckdb")

    return replace(translation, statements=tuple(PLACE.sub(literal, each) for each in translation.statements))


@lru_cache(1024)
def _translated(text: str) -> tuple[Translation, tuple[str, ...]]:
    """Translate a statement that has PLACE where a parameter's value goes; return it with its parameters' names."""
    tree = _parsed(text).copy()
    if like := _like(tree):
        return Translation((), like=like), ()
    wanted = []
    for placeholder in list(tree.find_all(exp.Placeholder)):
        wanted.append(str(placeholder.this or ""))
        placeholder.replace(exp.Literal.string(f"\ue000{wanted[-1]}\ue001"))
    # By the tree, not by the first word: WITH may stand before a DELETE, and SELECT … INTO makes a table.
    reads = isinstance(tree, exp.Query) and not tree.find(exp.Into)
    widths = _widths(tree)
    replaced = isinstance(tree, exp.Create) and tree.kind == "VIEW" and bool(tree.args.get("replace"))
    view = tree.this.sql("duckdb") if replaced and isinstance(tree.this, exp.Table) else ""
    return Translation(tuple(_statements(tree)), reads, replaced=view, widths=widths), tuple(wanted)


@lru_cache(1024)
def names(sql: str) -> frozenset[str]:
    """Return the parameters a statement has. Raises WarehouseError for a syntax error."""
    text = bare(sql)
    if ":" not in text or is_copy(text) or NOTHING.match(text) or ROLE.match(text) or REFUSED.match(text):
        return frozenset()
    return frozenset(str(each.this) for each in _parsed(text).find_all(exp.Placeholder))


def read(sql: str) -> exp.Expr:
    """Return the statement as sqlglot reads it; nobody may change it. Raise WarehouseError."""
    return _parsed(bare(sql))


def _role(verb: str, name: str) -> str:
    """Write roles as rows: names to be asked for in svv_roles, with no rights to check."""
    if verb == "DROP":
        return f"DELETE FROM main.local_roles WHERE role_name = '{name}'"  # noqa: S608 - \w+ alone
    there = f"SELECT 1 FROM main.local_roles WHERE role_name = '{name}'"  # noqa: S608
    return (
        "INSERT INTO main.local_roles (role_name) SELECT CASE WHEN EXISTS "
        f"({there}) THEN error('role \"{name}\" already exists') ELSE '{name}' END"
    )


@lru_cache(1024)
def _parsed(sql: str) -> exp.Expr:
    plain = _without_physical_design(sql) if re.match(r"\s*(?:CREATE|ALTER)\b", sql, re.IGNORECASE) else sql
    try:
        trees = [
            each for each in parse(plain, read="redshift") if each is not None and not isinstance(each, exp.Semicolon)
        ]
    except SqlglotError as error:
        raise WarehouseError(f"ERROR: syntax error: {_plainly(error)}") from error
    if len(trees) != 1:
        raise WarehouseError(f"ERROR: syntax error: one statement is wanted, there are {len(trees)}")
    tree = trees[0]
    strict.check(tree)
    _temporary_names(tree)
    for table in tree.find_all(exp.Table):
        if table.catalog.lower() == DATABASE:
            table.set("catalog", None)
    if isinstance(tree, exp.Command):
        raise UnsupportedError(f"ERROR: the local warehouse does not do {' '.join(sql.split()[:3])}")
    return tree


def _temporary_names(tree: exp.Expr) -> None:
    """`#name` is a temporary table; DuckDB has no such names."""
    for name in tree.find_all(exp.Identifier):
        if name.this.startswith("#"):
            name.set("this", f"temporary_{name.this[1:]}")
            created = name.parent.parent if name.parent and isinstance(name.parent.parent, exp.Schema) else name.parent
            if created and isinstance(created.parent, exp.Create) and created.parent.this is created:
                created.parent.set("properties", exp.Properties(expressions=[exp.TemporaryProperty()]))


def _plainly(error: SqlglotError) -> str:
    return re.sub(r"\x1b\[\d*m", "", str(error)).replace("\n", " ")


def _statements(tree: exp.Expr) -> Iterator[str]:
    sequences: list[str] = []
    if isinstance(tree, exp.Create) and isinstance(tree.this, exp.Schema):
        tree = _table(tree, sequences)
    elif isinstance(tree, exp.Alter):
        for column in tree.find_all(exp.ColumnDef):
            _column(column, tree, sequences, with_check=False)
    yield from sequences
    if isinstance(tree, exp.Alter) and any(isinstance(each, exp.AlterColumn) for each in tree.args["actions"]):
        return  # `widths` says it all
    if isinstance(tree, exp.Merge) and not tree.args.get("whens"):
        raise UnsupportedError("ERROR: the local warehouse does not do MERGE … REMOVE DUPLICATES")
    for kind in list(tree.find_all(exp.DataType)):
        if kind.this == exp.DataType.Type.SUPER:
            kind.replace(exp.DataType.build("json"))
    if isinstance(tree, exp.Select):
        _name_columns(tree)
    _super_paths(tree)
    _functions(tree)
    yield tree.sql("duckdb")


# ------------------------------------------------------------------ physical design

_ONE_MORE = {"DISTSTYLE", "ENCODE", "BACKUP", "AUTHORIZATION"}


def _without_physical_design(sql: str) -> str:
    """Return the text without DISTSTYLE, SORTKEY, ENCODE and the like; what stands in strings and comments stays."""
    tokens = tokenize(sql, read="redshift")
    words = [token.text.upper() for token in tokens]
    cuts: list[tuple[int, int]] = []
    at = 0
    while at < len(tokens):
        last = None
        if tokens[at].token_type not in (TokenType.STRING, TokenType.IDENTIFIER):
            last = _end_of_design(words, at)
        if last is None:
            at += 1
        else:
            cuts.append((tokens[at].start, tokens[last].end + 1))
            at = last + 1
    kept, start = [], 0
    for begin, end in cuts:
        kept.append(sql[start:begin])
        start = end
    return "".join([*kept, sql[start:]])


def _end_of_design(words: list[str], at: int) -> int | None:
    """Return the end of the clause that begins at a word; None if it is about no physical design."""
    word, following = words[at], words[at + 1] if at + 1 < len(words) else ""
    if word in _ONE_MORE and following:
        return at + 1
    if word in ("COMPOUND", "INTERLEAVED") and following == "SORTKEY":
        return _closing(words, at + 2)
    if word in ("SORTKEY", "DISTKEY"):
        return _closing(words, at + 1) if following == "(" else at + 1 if following == "AUTO" else at
    if word == "AUTO" and words[at + 1 : at + 2] == ["REFRESH"]:
        return at + 2
    if words[at : at + 4] == ["WITH", "NO", "SCHEMA", "BINDING"]:
        return at + 3
    return None


def _closing(words: list[str], at: int) -> int:
    depth = 0
    for position in range(at, len(words)):
        depth += {"(": 1, ")": -1}.get(words[position], 0)
        if not depth:
            return position
    return len(words) - 1


# ------------------------------------------------------------------ tables

_KEYS = (exp.PrimaryKey, exp.UniqueColumnConstraint, exp.ForeignKey)
_KEY_CONSTRAINTS = (exp.UniqueColumnConstraint, exp.Reference, exp.EncodeColumnConstraint)
_TEXTS = {
    exp.DataType.Type.VARCHAR,
    exp.DataType.Type.NVARCHAR,
    exp.DataType.Type.CHAR,
    exp.DataType.Type.NCHAR,
    exp.DataType.Type.BPCHAR,
    exp.DataType.Type.TEXT,
}


def _table(tree: exp.Create, sequences: list[str]) -> exp.Create:
    schema = tree.this
    kept = [each for each in schema.expressions if not _is_key(each)]
    for column in kept:
        if isinstance(column, exp.ColumnDef):
            _column(column, tree, sequences)
    schema.set("expressions", kept)
    return tree


def _widths(tree: exp.Expr) -> Widths | None:
    """Raise WarehouseError for a new type that Redshift does not take: it alters the size of VARCHAR alone.

    docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE.html
    """
    if not isinstance(tree, exp.Alter):
        return None
    table = tree.this.sql("duckdb")
    altered = [each for each in tree.args["actions"] if isinstance(each, exp.AlterColumn)]
    for each in altered:
        if each.args["dtype"].this != exp.DataType.Type.VARCHAR:
            raise WarehouseError(f'ERROR: cannot alter column "{each.name}" of relation "{tree.this.name}"')
    if altered:
        return Widths(table, {each.name: _bytes(each.args["dtype"]) for each in altered}, widens=True)
    added = [each for each in tree.find_all(exp.ColumnDef) if (kind := each.args.get("kind")) and kind.this in _TEXTS]
    return Widths(table, {each.name: _bytes(each.args["kind"]) for each in added}, widens=False) if added else None


def _like(tree: exp.Expr) -> Like | None:
    if not isinstance(tree, exp.Create) or not isinstance(tree.this, exp.Schema):
        return None
    found = next((each for each in tree.this.expressions if isinstance(each, exp.LikeProperty)), None)
    if not found:
        return None
    words = ["CREATE", "TEMPORARY" if tree.find(exp.TemporaryProperty) else "", "TABLE"]
    words += ["IF NOT EXISTS" if tree.args.get("exists") else "", tree.this.this.sql("duckdb")]
    defaults = any(each.name.upper() == "INCLUDING" and "DEFAULTS" in each.sql().upper() for each in found.expressions)
    return Like(" ".join(filter(None, words)), found.this.sql("duckdb"), defaults)


def _is_key(part: exp.Expr) -> bool:
    """Redshift takes keys for hints and enforces none."""
    if isinstance(part, exp.Constraint):
        return any(isinstance(each, _KEYS) for each in part.expressions)
    return isinstance(part, _KEYS)


def _column(column: exp.ColumnDef, of: exp.Expr, sequences: list[str], with_check: bool = True) -> None:
    constraints = []
    for constraint in column.args.get("constraints") or []:
        kind = constraint.kind
        if isinstance(kind, exp.PrimaryKeyColumnConstraint):
            constraints.append(exp.ColumnConstraint(kind=exp.NotNullColumnConstraint()))
        elif isinstance(kind, exp.GeneratedAsIdentityColumnConstraint):
            temporary = "TEMPORARY " if of.find(exp.TemporaryProperty) else ""
            sequence = f"{'' if temporary else 'main.'}identity_{secrets.token_hex(8)}"
            start, step = (kind.args.get(name) or "1" for name in ("start", "increment"))
            sequences.append(f"CREATE {temporary}SEQUENCE {sequence} START {start} INCREMENT {step}")
            value = exp.func("nextval", exp.Literal.string(sequence))
            constraints.append(exp.ColumnConstraint(kind=exp.DefaultColumnConstraint(this=value)))
        elif not isinstance(kind, _KEY_CONSTRAINTS):
            constraints.append(constraint)
    kind = column.args.get("kind")
    if kind is not None:
        if kind.this in _TEXTS:
            if with_check:
                check = parse_one(f'STRLEN("{column.name}") <= {_bytes(kind)}', read="duckdb")
                constraints.append(exp.ColumnConstraint(kind=exp.CheckColumnConstraint(this=check)))
            column.set("kind", exp.DataType.build("text"))
        elif kind.this in (exp.DataType.Type.VARBINARY, exp.DataType.Type.HLLSKETCH):
            column.set("kind", exp.DataType.build("blob", dialect="duckdb"))
    column.set("constraints", constraints)


def _bytes(kind: exp.DataType) -> int:
    if not kind.expressions:
        return 1 if kind.this in (exp.DataType.Type.CHAR, exp.DataType.Type.NCHAR) else PLAIN_VARCHAR
    given = kind.expressions[0].name
    return LONGEST_VARCHAR if given.upper() == "MAX" else int(given)


# ------------------------------------------------------------------ SUPER

Path = list[str | exp.Expr]


def _super_paths(tree: exp.Expr) -> None:
    """Navigation into SUPER (`keywords[0].word`, `k.word`) as extraction from JSON, unnesting as UNNEST of it."""
    elements: set[str] = set()
    known = {each.alias_or_name.lower() for kind in (exp.Table, exp.Subquery, exp.CTE) for each in tree.find_all(kind)}
    for table in list(tree.find_all(exp.Table)):
        if isinstance(table.parent, exp.Join | exp.From) and table.db and table.db.lower() in known:
            table.replace(_unnest(table))
    for join in list(tree.find_all(exp.Join)):
        if isinstance(join.this, exp.AtIndex):
            elements.add(join.this.this.alias.lower())
            join.replace(_unnest_with_index(join.this))
    sources = {source.lower() for source in _sources(tree)}
    for unnest in list(tree.find_all(exp.Unnest)):
        unnest.set("expressions", [exp.func("super_elements", each) for each in unnest.expressions])
        alias = unnest.args.get("alias")
        elements |= {column.name.lower() for column in (alias.columns if alias else [])}
    for dot in list(tree.find_all(exp.Dot)):
        if not isinstance(dot.parent, exp.Dot | exp.Bracket):
            _replace_path(dot, sources)
    for bracket in list(tree.find_all(exp.Bracket)):
        if not isinstance(bracket.parent, exp.Dot | exp.Bracket):
            _replace_path(bracket, sources)
    for column in list(tree.find_all(exp.Column)):
        if column.args.get("table") and not isinstance(column.parent, exp.Dot | exp.Bracket):
            _replace_path(column, sources)
        elif column.name.lower() in elements and isinstance(column.parent, exp.Cast | exp.Condition):
            _replace(column, column.copy(), "$", column.name)


def _unnest(table: exp.Table) -> exp.Unnest:
    """`LEFT JOIN t.tags AS k`, where `t` is no schema but a table of the query."""
    alias = exp.TableAlias(this=exp.to_identifier(f"of_{table.alias_or_name}"))
    alias.set("columns", [exp.to_identifier(table.alias_or_name)])
    return exp.Unnest(expressions=[exp.column(table.name, table=table.db)], alias=alias)


def _unnest_with_index(node: exp.AtIndex) -> exp.Join:
    """`FROM t, t.tags AS k AT i`, counted from 0."""
    elements = exp.func("super_elements", node.this.this.copy())
    numbers = exp.func("range", exp.func("len", elements.copy()))
    both = exp.select(*(exp.Anonymous(this="unnest", expressions=[each]) for each in (elements, numbers)))
    names = [exp.to_identifier(node.this.alias), exp.to_identifier(node.expression.name)]
    alias = exp.TableAlias(this=exp.to_identifier(f"of_{node.this.alias}"), columns=names)
    return exp.Join(this=exp.Lateral(this=exp.Subquery(this=both), alias=alias))


def _sources(tree: exp.Expr) -> Iterator[str]:
    """Yield every name that a column may be qualified with, in any scope: tables, aliases, schemas."""
    for table in tree.find_all(exp.Table):
        yield table.alias or table.name
        yield table.name
        if table.args.get("db"):
            yield table.db
    for kind in (exp.Subquery, exp.CTE):
        for each in tree.find_all(kind):
            yield each.alias
    if isinstance(tree, exp.Merge | exp.Update | exp.Delete):
        yield tree.this.alias_or_name


def _replace_path(node: exp.Expr, sources: set[str]) -> None:
    found = _path(node, sources)
    if not found:
        return
    base, steps = found
    text = "$" + "".join(f"[{step.name}]" if isinstance(step, exp.Literal) else f'."{step}"' for step in steps)
    last = steps[-1]
    _replace(node, base, text, last if isinstance(last, str) else "?column?")


_TAKE_SUPER = {"GET_ARRAY_LENGTH", "JSON_SERIALIZE", "JSON_TYPEOF", "IS_ARRAY", "SUPER_ELEMENTS", "LEN"}


def _replace(node: exp.Expr, base: exp.Expr, path: str, name: str) -> None:
    """Put what is found at `path` in `base` where `node` was, as SUPER or as what stands around it asks for."""
    around = node.parent
    # What is the result, grouped or ordered by, or goes into a function of SUPER stays one; else its text is wanted.
    whole = isinstance(around, exp.Alias | exp.Select | exp.Group | exp.Ordered | exp.JSONType) or (
        isinstance(around, exp.Anonymous) and around.name.upper() in _TAKE_SUPER
    )
    new: exp.Expr = exp.func("json_extract" if whole else "json_extract_string", base, exp.Literal.string(path))
    if isinstance(around, exp.Binary) and any(
        isinstance(side, exp.Literal | exp.Neg) and not side.is_string for side in (around.left, around.right)
    ):
        new = exp.TryCast(this=new, to=exp.DataType.build("double"))  # beside a number it is one, or nothing
    if isinstance(around, exp.Cast) and not isinstance(around, exp.TryCast) and around.to.this not in _TEXTS:
        around.replace(exp.TryCast(this=new, to=around.to.copy()))  # null where it is something else
        return
    if isinstance(around, exp.Select):
        new = exp.alias_(new, name, quoted=True)
    node.replace(new)


def _path(node: exp.Expr, sources: set[str]) -> tuple[exp.Expr, Path] | None:
    """(the SUPER column, the steps from it) of a navigation; None for a plain column, qualified or not."""
    if isinstance(node, exp.Dot):
        inner = _path(node.this, sources) or (node.this.copy(), [])
        return inner[0], [*inner[1], node.expression.name]
    if isinstance(node, exp.Bracket):
        inner = _path(node.this, sources) or (node.this.copy(), [])
        step = node.expressions[0]
        return inner[0], [*inner[1], step.name if step.is_string else step]
    if not isinstance(node, exp.Column):
        return None
    parts = [part.name for part in node.parts]
    at = 0
    while at < len(parts) - 1 and parts[at].lower() in sources:
        at += 1
    if at == len(parts) - 1:
        return None
    table = node.parts[at - 1].name if at else None
    base = exp.column(exp.to_identifier(parts[at]), table=table)
    return base, list(parts[at + 1 :])


# ------------------------------------------------------------------ functions


def _name_columns(tree: exp.Select) -> None:
    """Name results that have no name as Redshift does: by their function, or `?column?`."""
    for each in list(tree.expressions):
        called = each.this if isinstance(each, exp.Window) else each
        if isinstance(called, exp.CurrentTimestamp):
            name = "getdate"
        elif isinstance(called, exp.Func) and not isinstance(called, exp.Cast | exp.Anonymous):
            name = called.sql_name().lower()
        elif isinstance(called, exp.Anonymous):
            name = called.name.lower()
        elif isinstance(called, exp.Literal | exp.Binary) and not isinstance(called, exp.Dot):
            name = "?column?"
        else:
            continue
        each.replace(exp.alias_(each.copy(), name, quoted=True))


def _functions(tree: exp.Expr) -> None:
    for now in list(tree.find_all(exp.CurrentTimestamp)):
        if isinstance(now.parent, exp.AtTimeZone):  # SYSDATE
            now.parent.replace(exp.cast(now.copy(), "timestamp"))
        elif not isinstance(now.parent, exp.Cast):
            now.replace(exp.cast(now.copy(), "timestamp"))
    for average in reversed(list(tree.find_all(exp.Avg))):
        _average(average)
    for each in tree.find_all(exp.RegexpReplace):
        each.set("modifiers", each.args.get("modifiers") or exp.Literal.string("g"))  # all, not the first
    for trunc in list(tree.find_all(exp.Trunc)):
        if not trunc.args.get("decimals"):
            trunc.replace(exp.func("redshift_trunc", trunc.this.copy()))
    for shown in tree.find_all(exp.TimeToStr):
        form = shown.args["format"]
        if isinstance(form, exp.Literal):  # what sqlglot leaves as it is
            form.set("this", form.this.replace('"', "").replace("MS", "%g").replace("US", "%f"))
    for part in list(tree.find_all(exp.Extract)):
        if part.name.upper() == "EPOCH" and not isinstance(part.parent, exp.Cast):
            part.replace(exp.cast(exp.func("floor", part.copy()), "bigint"))
    for joined in tree.find_all(exp.GroupConcat):
        if isinstance(joined.this, exp.Distinct) and len(joined.this.expressions) == 2:
            value, separator = joined.this.expressions
            joined.set("this", exp.Distinct(expressions=[value.copy()]))
            joined.set("separator", separator.copy())
    for call in list(tree.find_all(exp.Anonymous)):
        name = call.name.upper()
        if name == "GET_ARRAY_LENGTH":
            call.replace(exp.func("json_array_length", *call.expressions))
        elif name == "OCTET_LENGTH":
            call.set("this", "STRLEN")  # DuckDB's takes no text
        elif name == "JSON_SERIALIZE":
            call.replace(exp.cast(call.expressions[0].copy(), "text"))
        elif name == "RATIO_TO_REPORT" and isinstance(call.parent, exp.Window):
            over = call.parent.copy()
            over.set("this", exp.Sum(this=call.expressions[0].copy()))
            share = exp.Div(this=exp.cast(call.expressions[0].copy(), "double"), expression=over)
            call.parent.replace(exp.paren(share))
        elif name == "OBJECT":
            call.set("this", "json_object")


def _average(average: exp.Avg) -> None:
    """Write AVG as a sum by a count: of integers that is an integer, cut off, as in Redshift."""
    whole: exp.Expr = average
    while isinstance(whole.parent, exp.Window | exp.Filter) and whole.parent.this is whole:
        whole = whole.parent
    parts = []
    for kind in (exp.Sum, exp.Count):
        part = whole.copy()
        found = part if part.is_leaf() or isinstance(part, exp.Avg) else part.find(exp.Avg)
        new = kind(this=average.this.copy())
        if found is part:
            part = new
        elif found:
            found.replace(new)
        parts.append(part)
    whole.replace(exp.paren(exp.Div(this=parts[0], expression=parts[1])))
