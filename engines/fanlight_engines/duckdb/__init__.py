"""SQL by DuckDB, embedded: the engine behind the effects of `fanlight.sql.effects`."""
