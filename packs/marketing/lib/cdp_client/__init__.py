"""Reads the customer data platform's tables from the local data folder.

A table is a file ``<table>.parquet`` or ``<table>.csv`` in the folder that ``CDP_DATA_DIR`` names,
or in the current directory when it names none.
"""

from cdp_client.tables import CdpError, data_folder, get_user_features, query

__all__ = ["CdpError", "data_folder", "get_user_features", "query"]
