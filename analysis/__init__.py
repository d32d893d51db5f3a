"""Take the data elsewhere: pandas, Arrow, a notebook, dbt. Never deployed; docs/elsewhere.md says how."""
