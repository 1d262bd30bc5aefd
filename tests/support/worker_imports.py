"""What a worker needs, imported: nothing else may start threads before processes are forked."""

from __future__ import annotations

import duckdb  # noqa: F401
import openai  # noqa: F401
import psycopg  # noqa: F401
import pyarrow  # noqa: F401
import sqlalchemy.dialects.postgresql.psycopg  # noqa: F401

import lupom.engine.llm.gateway
import lupom.engine.llm.providers.endpoint
import lupom.engine.run.materializations.llm
import lupom.engine.run.working
import lupom.engine.state.migration
import lupom.project  # noqa: F401
