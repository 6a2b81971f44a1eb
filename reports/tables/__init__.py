"""From the frame of all runs to tables of comparable ones: columns, labels of settings, intervals and ranks."""
