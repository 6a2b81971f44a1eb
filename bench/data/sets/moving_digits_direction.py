"""Clips of moving_digits, told by the digit's direction."""

from bench.data.sets.moving_digits import DIRECTIONS, told

CONTENT = {"train": "f50409e39814c259", "val": "6b837a14c286cc46", "test": "90b935d130196b18"}

SET = told("moving_digits_direction", "direction", CONTENT, DIRECTIONS)
