"""Transitions: what follows from one occurrence, as a pure function of a slice of the stored state.

``decide(slice, occurrence, now) → Decision(state, events, commands)``. The slice holds the instance, the step that
the occurrence is about, its successors and the values that they read; never the whole instance. A decision that needs
a row which the slice lacks raises ``SliceMiss`` with its name: the shell loads it and asks again, and since the
function is pure nothing has happened meanwhile.

The modules, in the order in which a step meets them: ``entering`` (a step's turn has come), ``outcomes`` (an
attempt ended), ``settling`` (it reached its end), ``stopping`` (failure, cancel, time-out), ``undoing`` (compensation
in order), ``closing`` (nothing in a block or in the instance is open any more). None calls back: what follows from an
event is put on the draft's list, and ``decide`` works it off.
"""

from workflows_app.engine.transitions.decide import decide
from workflows_app.engine.transitions.occurrences import (
    AttemptFailed,
    AttemptLost,
    AttemptPostponed,
    AttemptSucceeded,
    AttemptTimedOut,
    Cancel,
    Occurrence,
    Start,
    StepClaimed,
    Terminate,
    TimerFired,
)
from workflows_app.engine.transitions.outcomes import effect_unknown
from workflows_app.engine.transitions.slice import Decision, Slice, SliceMiss, StaleOccurrence

__all__ = [
    "AttemptFailed",
    "AttemptLost",
    "AttemptPostponed",
    "AttemptSucceeded",
    "AttemptTimedOut",
    "Cancel",
    "Decision",
    "Occurrence",
    "Slice",
    "SliceMiss",
    "StaleOccurrence",
    "Start",
    "StepClaimed",
    "Terminate",
    "TimerFired",
    "decide",
    "effect_unknown",
]
