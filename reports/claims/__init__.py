"""What a paper's figure claims, as data: its arms, the rules that were fixed before a run, and what the records say of them."""
