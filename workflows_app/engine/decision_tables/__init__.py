"""Decision tables: rules from inputs to outputs, checked for gaps and overlaps before anybody relies on them.

``parse`` makes a ``Table`` of a document, ``check`` says which inputs no rule takes, which two rules take together and
which rules are never reached, and ``decide`` finds the outputs for given inputs with the rules that hit.

A condition of a rule is a small test of one input, decidable by looking at it (``cells``): a constant, a list, ``< 5``,
``[1..10)``, ``!= x``, ``-`` for any. The check is exact for those, over whole and real numbers, texts and truth values
(``regions`` cuts each input into the pieces that the rules can tell apart). A condition in ``${ … }`` and a rule's
``if`` are CEL over ``input``: such rules are evaluated like the others, and the check says that it could not decide.
"""

from workflows_app.engine.decision_tables.checking import check
from workflows_app.engine.decision_tables.deciding import Decision, decide
from workflows_app.engine.decision_tables.model import HitPolicy, Input, Rule, Table
from workflows_app.engine.decision_tables.parsing import parse

__all__ = ["Decision", "HitPolicy", "Input", "Rule", "Table", "check", "decide", "parse"]
