"""Order processing: a saga over a small shop that is reached over HTTP and keeps its own books in PostgreSQL.

``workflow.yaml`` is the definition, ``shop`` the service it calls, ``orders.jsonl`` what is fed to it, and
``check`` the proof that afterwards the shop's books balance. Nothing here imports the orchestrator: the shop stands
for any service that somebody else runs.
"""
