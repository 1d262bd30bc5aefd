"""Imports of a project's own modules, while other threads import too."""

from __future__ import annotations

import gc
import sys
from types import ModuleType

import pytest

from lupom.engine import modules


@pytest.fixture
def importing_meanwhile():
    """Import whenever garbage is collected, which is when finalizers let other threads go on."""
    usual = gc.get_threshold()
    imported = []

    def one_more(phase, info):
        name = f"imported_meanwhile_{len(imported)}"
        imported.append(name)
        sys.modules[name] = ModuleType(name)

    # As many modules as a run has with its libraries: listing them makes more objects than Python
    # keeps ready, so that garbage is collected on the way.
    for i in range(5000):
        imported.append(f"a_library_{i}")
        sys.modules[imported[-1]] = ModuleType(imported[-1])
    before = len(imported)
    gc.callbacks.append(one_more)
    gc.set_threshold(1, 1, 1)
    yield lambda: len(imported) - before
    gc.set_threshold(*usual)
    gc.callbacks.remove(one_more)
    for name in imported:
        sys.modules.pop(name, None)


def test_an_import_at_the_same_time_does_not_stop_a_model(tmp_path, importing_meanwhile):
    modules.use(tmp_path, {})
    assert importing_meanwhile() > 1
