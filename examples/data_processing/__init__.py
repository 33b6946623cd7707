"""Data processing: a day's orders from one database, checked, changed and enriched, into another.

``workflow.yaml`` is the definition, ``seed`` makes both databases, ``profiles`` is the service that knows customers.
Nothing here imports the orchestrator.
"""
