"""Definitions: from text to a checked document to a ``Definition`` and back.

``load`` reads YAML or JSON text safely, ``parse`` checks the document against the language and makes the model,
``dump`` turns the model back into a document (``parse(dump(d)) == d``), and ``language_schema`` is the language itself.
What depends on the graph or on expressions is the business of the ``verifier``.
"""

from workflows_app.engine.definition import model
from workflows_app.engine.definition.dumping import dump
from workflows_app.engine.definition.language import language_schema
from workflows_app.engine.definition.loading import load
from workflows_app.engine.definition.model import Definition, Retry, Step
from workflows_app.engine.definition.parsing import parse

__all__ = ["Definition", "Retry", "Step", "dump", "language_schema", "load", "model", "parse"]
