"""The harness: one budget, one loop, one protocol, one record per run. It knows no method by name."""
