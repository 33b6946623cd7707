"""Transitions: what follows from one occurrence, as a pure function of a slice of the stored state.

``decide(slice, occurrence, now) → Decision(state, events, commands)``. The slice holds the instance, the step that
the occurrence is about, its successors and the values that they read; never the whole instance. A decision that needs
a row which the slice lacks raises ``SliceMiss`` with its name: the shell loads it and asks again, and since the
function is pure nothing has happened meanwhile.

The modules, in the order in which a step meets them: ``entering`` (a step's turn has come), ``receiving`` (it waits
for an event, or publishes one), ``repeating`` (the next iterations), ``outcomes`` (an attempt ended), ``calling`` and
``telling`` (another instance is called, ends, or is told something), ``settling`` (it reached its end), ``stopping``
(failure, cancel, time-out), ``undoing`` (compensation in order, with ``scouting`` and ``retracing``), ``closing``
(nothing in a block or in the instance is open any more). ``machines`` and ``queueing`` are about the events of a state
machine, ``adhoc`` about what people choose, ``pending`` about how an instance begins, ``pausing`` and ``holding`` about
what an operator holds up, ``operating`` about what one does to a step, ``tagging`` about the words an instance is found
by, ``retrying`` about one that goes on after it has failed, ``migrating`` about one that goes on by another version,
``leaving`` about undos that failed, ``going_back`` about steps that are taken back (``foreseeing``: what that would
do). None calls back: what follows from an event is put on the draft's list, and ``decide`` works it off.
"""

from workflows_app.engine.transitions.decide import decide
from workflows_app.engine.transitions.occurrences import (
    Accept,
    Act,
    AttemptFailed,
    AttemptLost,
    AttemptPostponed,
    AttemptSucceeded,
    AttemptTimedOut,
    Begin,
    Cancel,
    ChangeTags,
    ChangeVariables,
    ChildEnded,
    Compensate,
    EventArrived,
    EventReceived,
    MemberChosen,
    Migrate,
    Occurrence,
    Pause,
    PlanStart,
    Resume,
    Retry,
    RetryUndo,
    Rewind,
    RunNow,
    Skip,
    SkipUndo,
    SlotGranted,
    Start,
    StepClaimed,
    Terminate,
    TimerFired,
    UndoDone,
)
from workflows_app.engine.transitions.outcomes import effect_unknown
from workflows_app.engine.transitions.slice import Decision, Gathered, Slice, SliceMiss, StaleOccurrence

__all__ = [
    "Accept",
    "Act",
    "AttemptFailed",
    "AttemptLost",
    "AttemptPostponed",
    "AttemptSucceeded",
    "AttemptTimedOut",
    "Begin",
    "Cancel",
    "ChangeTags",
    "ChangeVariables",
    "ChildEnded",
    "Compensate",
    "Decision",
    "EventArrived",
    "EventReceived",
    "Gathered",
    "MemberChosen",
    "Migrate",
    "Occurrence",
    "Pause",
    "PlanStart",
    "Resume",
    "Retry",
    "RetryUndo",
    "Rewind",
    "RunNow",
    "Skip",
    "SkipUndo",
    "Slice",
    "SliceMiss",
    "SlotGranted",
    "StaleOccurrence",
    "Start",
    "StepClaimed",
    "Terminate",
    "TimerFired",
    "UndoDone",
    "decide",
    "effect_unknown",
]
