"""Everything that proves the product: unit, integration, acceptance, faults, architecture."""
