"""Fixtures of the fault matrix: private brokers, a throw-away database, real workers."""

from tests.services.fixtures import fault_database, product, services

__all__ = ["fault_database", "product", "services"]
