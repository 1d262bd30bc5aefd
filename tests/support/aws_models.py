"""AWS's descriptions of its services, read once by all clients of a test process.

Every session of boto3 reads them for itself, a quarter of a second of CPU each; clients of one
session share them, so nobody changes them.
"""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache

with suppress(ImportError):
    import botocore.loaders  # type: ignore[import-untyped,import-not-found,unused-ignore]

    botocore.loaders.create_loader = lru_cache(botocore.loaders.create_loader)
