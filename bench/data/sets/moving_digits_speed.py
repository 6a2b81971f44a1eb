"""Clips of moving_digits, told by the digit's speed."""

from bench.data.sets.moving_digits import SPEEDS, told

CONTENT = {"train": "eef394d463f25b1d", "val": "df5b6867cc9e9bf6", "test": "f854699dcf58d0cc"}

SET = told("moving_digits_speed", "speed", CONTENT, tuple(f"{speed} px" for speed in SPEEDS))
