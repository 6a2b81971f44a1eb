"""The static site: pages that are made from the records, the methods' files and docs/, and show what the tables computed."""
