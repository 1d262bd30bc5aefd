"""What all tests share: property tests judge what comes out, never how long it takes."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# On a busy machine an example takes seconds, which says nothing of the code.
settings.register_profile("lupom", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lupom")
