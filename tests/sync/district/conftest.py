"""Fixtures that several files here share."""

from tests.sync.district.postgres import postgres, url

__all__ = ["postgres", "url"]
