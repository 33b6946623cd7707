"""Data ETL: what is new in a log of events, page after page, into a table for analysis, and nothing twice.

``workflow.yaml`` is the definition; ``seed`` makes the log, the table and the file of places, and adds events.
Nothing here imports the orchestrator.
"""
