"""How DuckDB is told to reach S3."""

from __future__ import annotations

from dataclasses import dataclass

from lupom.engine.store.names import literal


@dataclass(frozen=True, slots=True)
class S3Access:
    """How DuckDB reaches S3: who asks (nobody: `key` is None), and where."""

    key: str | None = None
    secret: str | None = None
    token: str | None = None
    region: str | None = None
    endpoint: str | None = None

    def sql(self, name: str, scope: str) -> str:
        """Return the SQL that makes a secret of it, for addresses that begin with `scope`."""
        parts = {"scope": scope, "key_id": self.key, "secret": self.secret}
        parts |= {"session_token": self.token, "region": self.region}
        if self.endpoint:
            scheme, _, host = self.endpoint.rstrip("/").partition("://")
            ssl = "true" if scheme == "https" else "false"
            parts |= {"endpoint": host, "url_style": "path", "use_ssl": ssl}
        said = [f"{k} {literal(v)}" for k, v in parts.items() if v]
        return f"create or replace temporary secret {name} (type s3, {', '.join(said)})"
