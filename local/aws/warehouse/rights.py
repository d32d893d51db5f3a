"""Check users, roles, owners and grants, and refuse as Redshift does.

A right belongs to a user, to a role, or to PUBLIC. What one makes one owns; only the owner may change or grant it, and
the administrator may everything. docs.aws.amazon.com/redshift/latest/dg/r_GRANT.html, r_Privileges.html,
r_COPY.html (INSERT), r_TRUNCATE.html, r_ALTER_DEFAULT_PRIVILEGES.html.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from local.aws.warehouse.errors import UnsupportedError, WarehouseError
from local.aws.warehouse.temporary import TemporaryTables

SYSTEM = """
CREATE TABLE IF NOT EXISTS main.local_users (usename VARCHAR PRIMARY KEY, password VARCHAR);
ALTER TABLE main.local_users ADD COLUMN IF NOT EXISTS password VARCHAR;
CREATE TABLE IF NOT EXISTS main.local_grants (grantee VARCHAR, privilege VARCHAR, kind VARCHAR, object VARCHAR);
CREATE TABLE IF NOT EXISTS main.local_default_grants
    (owner VARCHAR, schema VARCHAR, privilege VARCHAR, grantee VARCHAR);
CREATE TABLE IF NOT EXISTS main.local_owners (kind VARCHAR, object VARCHAR, owner VARCHAR);
CREATE OR REPLACE VIEW main.pg_user AS SELECT usename FROM main.local_users;
"""
OPEN = {"public", "main", "pg_catalog", "information_schema", "pg_internal"}
"""Schemas that everybody may use; system tables and views lie in them."""
EVERY = ("SELECT", "INSERT", "UPDATE", "DELETE", "REFERENCES", "DROP", "TRUNCATE", "ALTER")
_NAME = r'(?:"[^"]+"|[\w$]+)'
_LIST = rf"{_NAME}(?:\s*\.\s*{_NAME})?"
GRANT = re.compile(
    rf"(?P<verb>GRANT|REVOKE)\s+(?P<rights>.+?)(?:\s+ON\s+(?P<on>.+?))?\s+(?:TO|FROM)\s+(?P<whom>(?:ROLE\s+|GROUP\s+)?{_NAME}"
    rf"(?:\s*,\s*(?:ROLE\s+|GROUP\s+)?{_NAME})*)\s*(?:WITH\s+\w+\s+OPTION)?",
    re.I | re.S,
)
DEFAULT = re.compile(
    rf"ALTER\s+DEFAULT\s+PRIVILEGES\s+(?:FOR\s+USER\s+(?P<owner>{_NAME})\s+)?(?:IN\s+SCHEMA\s+(?P<schema>{_NAME})\s+)?"
    rf"GRANT\s+(?P<rights>.+?)\s+ON\s+TABLES\s+TO\s+(?P<whom>(?:ROLE\s+)?{_NAME})",
    re.I | re.S,
)
USER = re.compile(rf"(?P<verb>CREATE|ALTER|DROP)\s+USER\s+(?:IF\s+EXISTS\s+)?(?P<name>{_NAME})", re.I)
PASSWORD = re.compile(r"\sPASSWORD\s+(?P<password>'[^']+'|DISABLE)", re.I)
OWNER = re.compile(rf"ALTER\s+TABLE\s+(?P<table>{_LIST})\s+OWNER\s+TO\s+(?P<owner>{_NAME})", re.I)
BECOME = re.compile(rf"SET\s+(?:LOCAL\s+)?SESSION\s+AUTHORIZATION\s+(?P<user>{_NAME}|'[^']+')\s*$", re.I)
LOCK = re.compile(rf"LOCK\s+(?:TABLE\s+)?(?P<tables>{_LIST}(?:\s*,\s*{_LIST})*)", re.I)
MAKE_ROLE = re.compile(rf"(?P<verb>CREATE|DROP)\s+ROLE\s+(?P<name>{_NAME})", re.I)
ALTERED = re.compile(rf"(?:VACUUM|ANALYZE|ALTER\s+TABLE)\s+(?:FULL\s+|DELETE\s+ONLY\s+)?(?P<table>{_LIST})", re.I)
DATABASE = re.compile(rf"ALTER\s+DATABASE\s+(?P<name>{_NAME})", re.I)
MEANT = re.compile(
    r"GRANT|REVOKE|ALTER\s+DEFAULT|(?:CREATE|ALTER|DROP)\s+(?:USER|ROLE)|ALTER\s+TABLE\s+\S+\s+OWNER", re.I
)
"""Statements that change who may what."""
UNREAD = re.compile(
    rf"{MEANT.pattern}|LOCK\b|VACUUM\b|ANALYZE\b|SET\b|RESET\b|COMMENT\b|REFRESH\b"
    r"|ALTER\s+TABLE\s+\S+\s+(?:APPEND|ALTER\s+(?:DIST\w*|SORTKEY|COMPOUND|COLUMN\s+\w+\s+ENCODE|ENCODE))"
    r"|ALTER\s+(?:SCHEMA|DATABASE|ROLE)\b|(?:CREATE|DROP|ALTER)\s+GROUP\b",
    re.I,
)
"""Statements that sqlglot need not read."""


def denied(what: str, name: str) -> WarehouseError:
    return WarehouseError(f"ERROR: permission denied for {what} {name}")


def not_owner(name: str, what: str = "relation") -> WarehouseError:
    return WarehouseError(f"ERROR: must be owner of {what} {name}")


@dataclass(frozen=True)
class Rights:
    """What a user may: rights as (privilege, kind, object), and what the user owns as (kind, object)."""

    granted: frozenset[tuple[str, str, str]]
    owned: frozenset[tuple[str, str]]

    def may(self, privilege: str, kind: str, name: str) -> bool:
        return (privilege, kind, name) in self.granted or (kind, name) in self.owned

    def owns(self, name: str) -> bool:
        return ("table", name) in self.owned


class Book:
    """The grants as they stand in a transaction. `user` is None for the administrator."""

    def __init__(self, cursor: Any, user: str | None, temporary: TemporaryTables) -> None:
        self._cursor, self.user, self._temporary_tables = cursor, user, temporary
        self._known: Rights | None = None

    # ---- checking

    @property
    def rights(self) -> Rights:
        """Return what the user may, read once."""
        if self._known is None:
            names = [f"user:{self.user}", "public", *self._roles(f"user:{self.user}")]
            found = self._rows(
                "SELECT privilege, kind, object FROM main.local_grants WHERE list_contains(?, grantee)", names
            )
            owned = self._rows("SELECT kind, object FROM main.local_owners WHERE owner = ?", self.user)
            self._known = Rights(frozenset(found), frozenset(owned))
        return self._known

    def _roles(self, of: str) -> set[str]:
        """Return the roles that somebody has, also by way of other roles."""
        found: set[str] = set()
        todo = [of]
        while todo:
            who = todo.pop()
            has = self._rows("SELECT object FROM main.local_grants WHERE grantee = ? AND kind = 'role'", who)
            new = {f"role:{name}" for (name,) in has} - found
            found |= new
            todo += new
        return found

    def check(self, sql: str, tree: exp.Expr | None) -> None:
        """Raise WarehouseError where the user may not. `tree` is None for what sqlglot does not read."""
        if self.user is None:
            return
        if tree is not None:
            self._check_tree(tree)
        elif match := LOCK.match(sql):
            for name in map(normal, match["tables"].split(",")):
                self._schema(name)
                if not any(self.rights.may(right, "table", name) for right in ("UPDATE", "DELETE", "TRUNCATE")):
                    raise denied("relation", bare(name))
        elif match := MAKE_ROLE.match(sql):
            if not self.rights.may("CREATE ROLE", "system", ""):
                raise WarehouseError("ERROR: permission denied to create role")
        elif match := USER.match(sql):
            raise WarehouseError(f"ERROR: permission denied to {match['verb'].lower()} user")
        elif match := DATABASE.match(sql):
            raise not_owner(unquoted(match["name"]), "database")
        elif match := ALTERED.match(sql):
            self._own(normal(match["table"]))

    def check_copy(self, table: str) -> None:
        """Raise WarehouseError where the user may not COPY into a table: that takes INSERT."""
        if self.user is not None:
            self._table(normal(table), "INSERT")

    def _check_tree(self, tree: exp.Expr) -> None:
        if isinstance(tree, exp.Create):
            self._create(tree)
        elif isinstance(tree, exp.Drop):
            for target in tree.args.get("tables") or []:
                if tree.args.get("kind") == "SCHEMA":
                    name = (target.db or target.name).lower()
                    if ("schema", name) not in self.rights.owned:
                        raise not_owner(name, "schema")
                elif not self._temporary(target):
                    self._own(name_of(target))
            return
        elif isinstance(tree, exp.Alter):
            self._own(name_of(tree.this))
            return
        elif isinstance(tree, exp.TruncateTable):
            for each in tree.expressions:
                if not self._temporary(each) and not self.rights.may("TRUNCATE", "table", name_of(each)):
                    raise not_owner(bare(name_of(each)))
            return
        target = written(tree)
        for table in self._read(tree, target):
            self._table(name_of(table), "SELECT")
        if target is not None and not isinstance(tree, exp.Create) and not self._temporary(target):
            for right in WRITES[type(tree)]:
                self._table(name_of(target), right)

    def _create(self, tree: exp.Create) -> None:
        kind = tree.kind
        if kind == "SCHEMA":
            if not self.rights.may("CREATE", "database", ""):
                raise denied("database", "tweets")
            return
        if tree.find(exp.TemporaryProperty):
            return
        target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
        name = name_of(target)
        schema = name.partition(".")[0]
        if schema not in OPEN and not self.rights.may("CREATE", "schema", schema):
            raise denied("schema", schema)
        if tree.args.get("replace") and self._owner("table", name) not in (None, self.user):
            raise not_owner(bare(name))

    def _read(self, tree: exp.Expr, target: exp.Table | None) -> Iterator[exp.Table]:
        """Yield the tables that a statement reads: no temporary ones, no CTEs, no columns that are unnested."""
        ctes = {each.alias_or_name.lower() for each in tree.find_all(exp.CTE)}
        aliases = {each.alias_or_name.lower() for kind in (exp.Table, exp.Subquery) for each in tree.find_all(kind)}
        for table in tree.find_all(exp.Table):
            schema, name = table.db.lower(), table.name.lower()
            if table is target or not name or (not schema and name in ctes):
                continue
            if schema in aliases and not self._is_schema(schema):
                continue
            if not self._temporary(table):
                yield table

    def _table(self, name: str, right: str) -> None:
        if name.partition(".")[0] in OPEN and not self._owner("table", name):
            return  # system tables, and what was there before there were owners
        self._schema(name)
        if not self.rights.may(right, "table", name):
            raise denied("relation", bare(name))

    def _schema(self, name: str) -> None:
        schema = name.partition(".")[0]
        if schema not in OPEN and not self.rights.may("USAGE", "schema", schema):
            raise denied("schema", schema)

    def _own(self, name: str) -> None:
        if not self.rights.owns(name):
            raise not_owner(bare(name))

    def _owner(self, kind: str, name: str) -> str | None:
        found = self._rows("SELECT owner FROM main.local_owners WHERE kind = ? AND object = ?", kind, name)
        return str(found[0][0]) if found else None

    def _is_schema(self, name: str) -> bool:
        return bool(self._rows("SELECT 1 FROM duckdb_schemas() WHERE schema_name = ?", name))

    def _temporary(self, table: exp.Expr) -> bool:
        if not isinstance(table, exp.Table) or table.db:
            return False
        return table.name in self._temporary_tables.names

    # ---- changing

    def note(self, tree: exp.Expr) -> None:
        """Write down who owns what was made, and forget what is gone. Default privileges go to what was made."""
        if isinstance(tree, exp.Create) and not tree.find(exp.TemporaryProperty):
            target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
            if tree.kind == "SCHEMA":
                self._made("schema", (target.db or target.name).lower())
            elif tree.kind in {"TABLE", "VIEW"} and isinstance(target, exp.Table):
                self._made("table", name_of(target))
        elif isinstance(tree, exp.Drop):
            for target in tree.args.get("tables") or []:
                if tree.args.get("kind") == "SCHEMA":
                    schema = (target.db or target.name).lower()
                    self._gone(f"{schema}.", schema)
                elif tree.args.get("kind") in {"TABLE", "VIEW"}:
                    self._gone("", name_of(target))
        elif isinstance(tree, exp.Alter):
            for action in tree.args.get("actions") or []:
                if isinstance(action, exp.AlterRename):
                    old = name_of(tree.this)
                    new = f"{old.partition('.')[0]}.{action.this.name.lower()}"
                    for book in ("local_owners", "local_grants"):
                        self._cursor.execute(f"UPDATE main.{book} SET object = ? WHERE object = ?", [new, old])  # noqa: S608

    def _made(self, kind: str, name: str) -> None:
        if self._owner(kind, name) is not None:
            return
        owner = self.user or ADMINISTRATOR
        self._cursor.execute("INSERT INTO main.local_owners VALUES (?, ?, ?)", [kind, name, owner])
        if kind == "table":
            query = "SELECT privilege, grantee FROM main.local_default_grants WHERE owner = ? AND schema IN (?, '')"
            for privilege, grantee in self._rows(query, owner, name.partition(".")[0]):
                self._give(grantee, privilege, "table", name)
        self._known = None

    def _gone(self, prefix: str, name: str) -> None:
        for book in ("local_owners", "local_grants"):
            like = " OR starts_with(object, ?)" if prefix else ""
            values = [name, prefix] if prefix else [name]
            self._cursor.execute(f"DELETE FROM main.{book} WHERE object = ?{like}", values)  # noqa: S608
        if prefix:
            self._cursor.execute("DELETE FROM main.local_default_grants WHERE schema = ?", [name])
        self._known = None

    def change(self, sql: str) -> bool:
        """Do what a statement about rights says; return False if it is none. Raise WarehouseError."""
        self._known = None
        if match := DEFAULT.fullmatch(sql):
            owner = unquoted(match["owner"]) if match["owner"] else self.user or ADMINISTRATOR
            schema = unquoted(match["schema"]) if match["schema"] else ""
            for privilege in privileges(match["rights"]):
                row = [owner, schema, privilege, self._grantee(match["whom"])]
                self._cursor.execute("INSERT INTO main.local_default_grants VALUES (?, ?, ?, ?)", row)
        elif match := USER.match(sql):
            self._user(match["verb"].upper(), unquoted(match["name"]))
            if password := PASSWORD.search(sql):
                row = [hashed(unquoted(password["password"])), unquoted(match["name"])]
                self._cursor.execute("UPDATE main.local_users SET password = ? WHERE usename = ?", row)
        elif match := OWNER.fullmatch(sql):
            row = [unquoted(match["owner"]), normal(match["table"])]
            self._cursor.execute("UPDATE main.local_owners SET owner = ? WHERE object = ?", row)
        elif match := GRANT.fullmatch(sql):
            self._grant(match)
        elif MEANT.match(sql) and not MAKE_ROLE.match(sql):
            raise UnsupportedError(f"ERROR: the local warehouse does not do {' '.join(sql.split()[:3])} in this form")
        else:
            return False
        return True

    def _user(self, verb: str, name: str) -> None:
        there = bool(self._rows("SELECT 1 FROM main.local_users WHERE usename = ?", name))
        if verb == "CREATE":
            if there:
                raise WarehouseError(f'ERROR: user "{name}" already exists')
            self._cursor.execute("INSERT INTO main.local_users (usename) VALUES (?)", [name])
        elif not there:
            raise WarehouseError(f'ERROR: user "{name}" does not exist')
        elif verb == "DROP":
            if self._rows("SELECT 1 FROM main.local_owners WHERE owner = ?", name):
                raise WarehouseError(f'ERROR: user "{name}" cannot be dropped because some objects depend on it')
            self._cursor.execute("DELETE FROM main.local_users WHERE usename = ?", [name])
            self._cursor.execute("DELETE FROM main.local_grants WHERE grantee = ?", [f"user:{name}"])

    def _grant(self, match: re.Match[str]) -> None:
        whom = [self._grantee(each) for each in match["whom"].split(",")]
        giving = match["verb"].upper() == "GRANT"
        for privilege, kind, name in self._objects(match["rights"], match["on"]):
            for grantee in whom:
                if giving:
                    self._give(grantee, privilege, kind, name)
                else:
                    row = [grantee, privilege, kind, name]
                    self._cursor.execute(
                        "DELETE FROM main.local_grants WHERE grantee = ? AND privilege = ? AND kind = ? AND object = ?",
                        row,
                    )

    def _give(self, grantee: str, privilege: str, kind: str, name: str) -> None:
        row = [grantee, privilege, kind, name]
        self._cursor.execute(
            "INSERT INTO main.local_grants SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT 1 FROM main.local_grants"
            " WHERE grantee = $1 AND privilege = $2 AND kind = $3 AND object = $4)",
            row,
        )

    def _objects(self, rights: str, on: str | None) -> Iterator[tuple[str, str, str]]:
        """Yield (privilege, kind, object) of a GRANT. Raise WarehouseError for what is not there, or another's."""
        if on is None:
            words = rights.split()
            if words[0].upper() == "ROLE":
                for name in rights[len(words[0]) :].split(","):
                    self._may_grant("role", unquoted(name.strip()))
                    yield "MEMBER", "role", unquoted(name.strip())
            else:
                if self.user is not None:
                    raise WarehouseError("ERROR: permission denied to grant system privileges")
                yield " ".join(words).upper(), "system", ""
            return
        words = on.split()
        first = words[0].upper()
        if first == "SCHEMA":
            for name in map(unquoted, map(str.strip, on[len("SCHEMA") :].split(","))):
                self._may_grant("schema", name)
                for privilege in privileges(rights, ("CREATE", "USAGE")):
                    yield privilege, "schema", name
        elif first == "DATABASE":
            self._may_grant("database", "")
            for privilege in privileges(rights, ("CREATE", "USAGE", "TEMPORARY")):
                yield privilege, "database", ""
        elif first == "ALL":
            schema = unquoted(words[-1])
            query = "SELECT table_name FROM information_schema.tables WHERE table_schema = ?"
            for (name,) in self._rows(query, schema):
                self._may_grant("table", f"{schema}.{name}")
                for privilege in privileges(rights):
                    yield privilege, "table", f"{schema}.{name}"
        else:
            for name in map(normal, (on[len("TABLE") :] if first == "TABLE" else on).split(",")):
                self._may_grant("table", name)
                for privilege in privileges(rights):
                    yield privilege, "table", name

    def _may_grant(self, kind: str, name: str) -> None:
        """Raise WarehouseError where the object is not there, or where it is another's."""
        if kind == "role":
            if not name.startswith("sys:") and not self._rows(
                "SELECT 1 FROM main.local_roles WHERE role_name = ?", name
            ):
                raise WarehouseError(f'ERROR: role "{name}" does not exist')
            return
        if kind == "table" and not self._rows(TABLE, *name.split(".")):
            raise WarehouseError(f'ERROR: relation "{bare(name)}" does not exist')
        if kind == "schema" and not self._is_schema(name):
            raise WarehouseError(f'ERROR: schema "{name}" does not exist')
        if self.user is not None and (kind, name) not in self.rights.owned:
            raise denied("relation" if kind == "table" else kind, bare(name) or "tweets")

    def _grantee(self, text: str) -> str:
        """Return `user:x`, `role:x` or `public`. Raise WarehouseError where there is no such user or role."""
        words = text.split()
        if words[0].upper() == "PUBLIC":
            return "public"
        if words[0].upper() == "ROLE" and len(words) > 1:
            role = unquoted(words[1])
            if not self._rows("SELECT 1 FROM main.local_roles WHERE role_name = ?", role):
                raise WarehouseError(f'ERROR: role "{role}" does not exist')
            return f"role:{role}"
        user = unquoted(text.strip())
        if not self._rows("SELECT 1 FROM main.local_users WHERE usename = ?", user):
            raise WarehouseError(f'ERROR: user "{user}" does not exist')
        return f"user:{user}"

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        found: list[Any] = self._cursor.execute(sql, list(values)).fetchall()
        return found


ADMINISTRATOR = "rdsdb"
TABLE = "SELECT 1 FROM information_schema.tables WHERE table_schema = ? AND table_name = ?"
WRITES: dict[type[exp.Expr], tuple[str, ...]] = {
    exp.Insert: ("INSERT",),
    exp.Update: ("UPDATE", "SELECT"),
    exp.Delete: ("DELETE", "SELECT"),
    exp.Merge: ("SELECT", "INSERT", "UPDATE", "DELETE"),
}
"""Rights to the table that is written. UPDATE and DELETE look for their rows, and so need SELECT."""


def written(tree: exp.Expr) -> exp.Table | None:
    """Return the table that a statement writes to, or makes."""
    if not isinstance(tree, exp.Create | exp.Insert | exp.Update | exp.Delete | exp.Merge):
        return None
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    return target if isinstance(target, exp.Table) else None


def hashed(password: str) -> str:
    """Return what is kept of a password as CREATE USER takes it: text, a hash of it, or DISABLE.

    docs.aws.amazon.com/redshift/latest/dg/r_CREATE_USER.html
    """
    if password.startswith(("disable", "md5", "sha256|")):
        return password
    salt = secrets.token_bytes(16)
    return f"sha256|{_digest(password, salt)}|{salt.hex()}"


def fits(user: str, password: str, kept: str | None) -> bool:
    """Return whether that is the user's password. A digest is of the password and the salt; MD5, of it and the name."""
    if (kept or "").startswith("md5"):
        return kept == "md5" + hashlib.md5((password + user).encode(), usedforsecurity=False).hexdigest()
    _, _, rest = (kept or "").partition("sha256|")
    digest, _, salt = rest.partition("|")
    return bool(digest) and digest == _digest(password, bytes.fromhex(salt))


def _digest(password: str, salt: bytes) -> str:
    return hashlib.sha256(password.encode() + salt).hexdigest()


def privileges(text: str, every: Iterable[str] = EVERY) -> list[str]:
    """Return the privileges of a GRANT one by one, in upper case."""
    words = [" ".join(each.split()).upper() for each in text.split(",")]
    return list(every) if words[0] in {"ALL", "ALL PRIVILEGES"} else words


def unquoted(name: str) -> str:
    """Return an identifier as Redshift keeps it: as it is in quotes, else in lower case."""
    name = name.strip()
    return name[1:-1] if name[:1] in {'"', "'"} else name.lower()


def normal(name: str) -> str:
    """Return a table's name with its schema."""
    parts = [unquoted(part) for part in name.strip().split(".")]
    return ".".join(parts if len(parts) > 1 else ["public", *parts])


def name_of(table: exp.Expr) -> str:
    """Return the name of a table in a tree with its schema."""
    assert isinstance(table, exp.Table), table
    return f"{(table.db or 'public').lower()}.{table.name.lower()}"


def bare(name: str) -> str:
    """Return a table's name without its schema."""
    return name.rpartition(".")[2]
