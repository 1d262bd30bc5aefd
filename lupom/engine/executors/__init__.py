"""Where work in batches is done: in this process, in others on this machine, on a cluster."""

from lupom.engine.executors.executor import Executor, Stopped
from lupom.engine.executors.wire import Origin, WorkError

__all__ = ["Executor", "Origin", "Stopped", "WorkError"]
