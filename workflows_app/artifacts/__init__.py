"""Artifacts: values that are too large, or too binary, for a row are kept outside the database; references travel.

An artifact belongs to one instance and is named by the SHA-256 of its content, so an attempt that repeats a lost one's
work stores nothing twice. ``store`` keeps content, opens references and deletes all of an instance; ``references``
makes and checks the JSON objects that stand for content; ``admission`` says which instance may read which;
``backends`` chooses where content lies by the setting ``ORCHESTRATOR_ARTIFACTS``: ``folders`` on a file system,
``objects`` in an S3-compatible store. The table ``Artifact`` knows what there is, for quotas and deletion. It is
written after the content and before the step completes: content without a row is what a crash left, and is written
again or deleted with its instance.
"""
