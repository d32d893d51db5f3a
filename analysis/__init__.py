"""Use the data in other tools: pandas, Arrow, a notebook, dbt. Never deployed; docs/elsewhere.md says how."""
