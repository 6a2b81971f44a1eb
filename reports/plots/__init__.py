"""Tables as figures."""
