"""Leaderboards, figures and their statistics: from `ResultStore.frame()` to tables, from these to pages and plots, by pure functions."""
