"""Pens and radios: bytes to pen events and back. Knows nothing of sheets, pupils or the district."""
