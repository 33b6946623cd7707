"""Commands and queries kept apart: a command, then a query until the view shows what it did."""
