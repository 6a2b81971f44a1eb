"""Libraries of encoders: a file for each, named as in `--encoder timm:NAME`. `described(model)` tells a plan of one, `build` makes it."""
