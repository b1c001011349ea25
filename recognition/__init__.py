"""Ink to readings to grades. Pure: no clock, no network, no database."""
