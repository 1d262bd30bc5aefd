"""How S3 is reached, as settings say it."""

from __future__ import annotations

import re
from typing import Any

from pydantic import ConfigDict, Field, field_validator, model_validator

from lupom.engine.project.strict import Strict


class S3Settings(Strict):
    """How S3 is reached; what is left out is found by AWS's own rules (environment, profile, role).

    `timeout` (seconds) is how long a server may be silent, and `retries` how often a request is
    made again. An object may take `timeout` and its size at 50 kB/s in all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint_url: str | None = None
    """An address other than AWS's."""
    region: str | None = None
    """Where the bucket is."""
    profile: str | None = None
    """A profile of the AWS configuration."""
    anonymous: bool = False
    """Ask without credentials, for public buckets."""
    timeout: float = Field(default=30.0, gt=0, le=3600)
    """Seconds a server may be silent."""
    retries: int = Field(default=4, ge=0, le=20)
    """How often a request is made again."""
    concurrency: int = Field(default=8, ge=1, le=64)
    """Requests in flight."""

    @field_validator("endpoint_url", "region", "profile", mode="before")
    @classmethod
    def _blank(cls, value: Any) -> Any:
        # env_var('AWS_PROFILE', '') is how "if it is set" is written.
        return None if value == "" else value

    @model_validator(mode="after")
    def _one_identity(self) -> S3Settings:
        if self.anonymous and self.profile:
            raise ValueError("'anonymous' and 'profile' exclude each other")
        if self.endpoint_url and not re.match(r"https?://", self.endpoint_url):
            raise ValueError(f"'endpoint_url' begins with http:// or https://: {self.endpoint_url}")
        return self
