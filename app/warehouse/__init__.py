"""Rows of files and databases as a stream: read by DuckDB, or by PostgreSQL's own client."""

from app.warehouse.duckdb_tables import append_rows, open_duck, open_rows
from app.warehouse.row_tables import RowTable, TextTable
from app.warehouse.temporary_folder import clear_leftovers, temporary_folder

__all__ = ["RowTable", "TextTable", "append_rows", "clear_leftovers", "open_duck", "open_rows", "temporary_folder"]
