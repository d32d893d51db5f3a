"""What Redshift doesn't take though DuckDB would: found here, it is not found on AWS.

docs.aws.amazon.com/redshift/latest/dg/c_unsupported-postgresql-features.html and the pages of the functions.
"""

from __future__ import annotations

from sqlglot import exp

from local.warehouse.errors import WarehouseError

ON_THE_LEADER = "Specified types or functions (one per INFO message) not supported on Redshift tables."
FRAMED = (exp.Sum, exp.Count, exp.Avg, exp.Min, exp.Max, exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.Variance)
FRAMED_TOO = (exp.FirstValue, exp.LastValue, exp.NthValue)


def check(tree: exp.Expr) -> None:
    """Raises WarehouseError in Redshift's words. `tree` is as it was parsed."""
    if isinstance(tree, exp.Create) and tree.kind == "INDEX":
        raise WarehouseError('ERROR: SQL command "CREATE INDEX" not supported on Redshift tables.')
    for kind, words in ((exp.Filter, "FILTER"), (exp.OnConflict, "ON CONFLICT"), (exp.Returning, "RETURNING")):
        if tree.find(kind):
            raise WarehouseError(f'ERROR: syntax error at or near "{words}": Redshift has no such clause')
    if any(each.args.get("on") for each in tree.find_all(exp.Distinct)):
        raise WarehouseError("ERROR: SELECT DISTINCT ON is not supported")
    if tree.find(exp.GenerateSeries) and any(
        isinstance(each.this, exp.Identifier) for each in tree.find_all(exp.Table)
    ):
        raise WarehouseError(f"ERROR: {ON_THE_LEADER} generate_series runs on the leader node alone")
    for window in tree.find_all(exp.Window):
        if isinstance(window.this, FRAMED + FRAMED_TOO) and window.args.get("order") and not window.args.get("spec"):
            raise WarehouseError("ERROR: Aggregate window functions with an ORDER BY clause require a frame clause")
