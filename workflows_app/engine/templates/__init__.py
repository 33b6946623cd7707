"""Templates: definitions with parameters, made into ordinary documents by pure substitution.

``parse`` checks a template document (its own keys, its parameters, every placeholder) and makes a ``Template``;
``render`` puts arguments into it and returns a document that is verified like one written by hand. The road of a text:
``notation`` reads what stands between ``{{`` and ``}}``, ``scopes`` looks values up, ``rendering`` walks the document.

The notation is small on purpose, and its braces are doubled so that it never meets ``${ … }``, the expressions of the
language, which pass through as they are:

==================================  =====================================================================
``{{ name }}``                      the value; alone in a string it keeps its type, among text it is text
``{{ step.with.lines[0] }}``        a part of it
``{{ step.when? }}``                left out, with its key or list entry, where there is no such value
``{{ name | json }}``               as JSON text, which is also how an expression writes a constant
``{{ for step in steps }}:``        a key: its entries once for each element; ``for step, index in`` counts from 0
``{{ if name }}:``                  a key: its entries only if the value is there and neither null, false nor empty;
                                    ``if name is word``, ``unless name``, ``unless name is word``
``{{{{``                            two braces as they are
==================================  =====================================================================

There are no operators, no functions and no second pass: what a value holds is never read as a placeholder.
"""

from workflows_app.engine.templates.model import Parameter, ParameterType, Template
from workflows_app.engine.templates.parsing import parse
from workflows_app.engine.templates.rendering import render

__all__ = ["Parameter", "ParameterType", "Template", "parse", "render"]
