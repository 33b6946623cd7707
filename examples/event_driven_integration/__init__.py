"""An integration by events: what comes in is transformed, enriched by a service, and goes out as an event."""
