"""Whether a record can be believed: by itself, beside the same run made again, and as a stranger's submission."""
