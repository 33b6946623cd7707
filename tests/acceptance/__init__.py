"""What users get from real workers and a real broker."""
