"""Strokes of one answer field -> a reading. Rules for marks and numbers, a character model for single characters."""
