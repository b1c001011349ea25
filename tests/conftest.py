"""For all tests: these machines are shared and noisy, so no property test is judged by the clock."""

from hypothesis import settings

settings.register_profile("shared", deadline=None)
settings.load_profile("shared")
