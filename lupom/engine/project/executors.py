"""What a target says of where work in batches is done: an executor and its options."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from lupom.engine.errors import did_you_mean
from lupom.engine.project.strict import Strict

WORKERS = "workers"
_TYPES = ("local", "processes", "ray")


class ExecutorSettings(Strict):
    """Where Python models do what they hand to `lupom.map`; `executor: ray` is `{type: ray}`.

    Tables are the same whatever stands here, and no model is built again for it.
    """

    type: Literal["local", "processes", "ray"] = "local"
    """`local`: in the run's own process; `processes`: in several on this machine; `ray`: on a
    cluster (`pip install 'lupom[ray]'`)."""
    calls: Literal["here", "workers"] = "here"
    """Who asks LLMs: the run itself, or processes of `lupom worker`, which with `type: ray` the run
    starts on the cluster's nodes; `executor: workers` is `{calls: workers}`."""
    workers: int | None = Field(default=None, ge=1)
    """Batches at a time; one for each core, of the machine or the cluster, unless set."""
    address: str | None = None
    """ray: of a cluster, `auto` for the one this machine belongs to; without it one is started on
    this machine for the run."""
    retries: int = Field(default=3, ge=0)
    """How often a batch is given to another worker when its worker is lost."""
    start_after: float | None = Field(default=None, ge=0)
    """Seconds that the run's own process works at each table before others begin with the rest, so
    that what is small starts nobody; unless set 2 of processes and 10 of Ray, which is about what
    it takes to start them."""

    @property
    def patience(self) -> float:
        """Seconds that the run's own process works at each table before others begin."""
        if self.type == "local":
            return float("inf")
        usual = {"processes": 2.0, "ray": 10.0}[self.type]
        return usual if self.start_after is None else self.start_after

    @model_validator(mode="before")
    @classmethod
    def _spelled(cls, value: Any) -> Any:
        if value == WORKERS:
            return {"calls": WORKERS}
        if isinstance(value, str) and value not in _TYPES:
            known = (*_TYPES, WORKERS)
            said = {"message": f"{value!r} is none of {', '.join(known)}"}
            hint = {"hint": did_you_mean(value, known)}
            raise PydanticCustomError("value_error", "{message}", {**said, **hint})
        return {"type": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _address_of_ray(self) -> ExecutorSettings:
        if self.address is not None and self.type != "ray":
            raise ValueError(f"'address' is for 'type: ray'; 'type: {self.type}' has none")
        return self
