"""The learnt hand: text to strokes in somebody's hand, without anybody's ink. Never a measure of accuracy."""
