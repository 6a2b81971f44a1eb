"""Leaderboards, figures and their statistics: pure functions of `ResultStore.frame()`."""
