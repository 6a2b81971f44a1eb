"""Does a method keep the contract of bench/method.py? What a user's own test imports: `from bench.conformance import check_method`."""

from bench.conformance.check import Outcome, check_method, checks, name_of, outcomes

__all__ = ["Outcome", "check_method", "checks", "name_of", "outcomes"]
