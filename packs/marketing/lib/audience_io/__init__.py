"""Checks audiences and writes them as Parquet, whole or not at all."""

from audience_io.audience import AudienceError, validate_schema, write_audience

__all__ = ["AudienceError", "validate_schema", "write_audience"]
