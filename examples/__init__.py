"""Shipped examples: each folder holds a definition, what it needs to run, and a check of the outcome."""
