"""Addresses that other systems call: without log-in, each with a proof of its own."""
