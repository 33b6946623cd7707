"""The pages under docs/ hold what they promise: their examples are validated, refused, evaluated or run."""
