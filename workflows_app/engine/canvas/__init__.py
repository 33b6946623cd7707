"""The canvas: which messages carry a decision's dispatches, and what follows them for certain.

``compile`` starts from the ready frontier of one instance and takes the largest static region that fits a bound in
bytes: steps that follow without a decision become links of a chain, branches a group, branches that meet again the
header of a chord. It stops at what only runtime knows (conditions, choices, waits, races) and where a join cannot be
nested; there the engine is asked for the next plan. Recovery is the same function on the stored frontier.

Pure: a plan names steps and generations; ``dispatch`` renders it as Celery signatures. A plan is only a forecast. What
happens is decided in the database, and a message whose forecast does not come true claims nothing or ends its chain.

The modules: ``plans`` (the tree), ``static`` (what a definition says for certain), ``strands`` and ``growing`` (how a
region grows), ``wide`` (wide groups and their chunks), ``sizes`` (bytes), ``compiling`` (from a frontier to its
region), ``surveying`` and ``naming`` (a whole definition, for people).
"""

from workflows_app.engine.canvas.compiling import LIMIT_BYTES, compile, region
from workflows_app.engine.canvas.plans import Chain, Chord, Group, Plan, Task, first, tasks, width
from workflows_app.engine.canvas.regions import HandOver, Region
from workflows_app.engine.canvas.sizes import size, weigh
from workflows_app.engine.canvas.surveying import Canvas, survey

__all__ = [
    "LIMIT_BYTES",
    "Canvas",
    "Chain",
    "Chord",
    "Group",
    "HandOver",
    "Plan",
    "Region",
    "Task",
    "compile",
    "first",
    "region",
    "size",
    "survey",
    "tasks",
    "weigh",
    "width",
]
