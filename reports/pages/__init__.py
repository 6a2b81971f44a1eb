"""Tables as text: Markdown to read, CSV to compute with, the terminal; and published values beside them."""
