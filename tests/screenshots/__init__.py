"""Pictures of every page, for people who review them: ``make screenshots``."""
