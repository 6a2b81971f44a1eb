#!/usr/bin/env python3
"""The command line of the SSL benchmark, from a checkout; where it is installed, `sslbench` is the same.

run_bench.py demo                                              everything, end to end, in minutes
run_bench.py run --method simclr,byol --dataset mnist5k --budget 20000items
run_bench.py report                                            the leaderboard, from the records
"""

from bench.commands.cli import cli, main

__all__ = ["cli", "main"]

if __name__ == "__main__":
    main()
