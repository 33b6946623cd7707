"""Migration: an instance goes on by another version of its workflow. What is done stays done.

``plan`` holds the state of an instance against two graphs, that of its version and that of the other one, and says what
becomes of each step, or every reason why it cannot be. It is a pure function; a preview and the act ask the same one.

* What has settled stays as it is (``begun``). A step that the new version does not have any more is in the history
  only; where its undo would go with it, the instance is not migrated.
* What is under way goes on where it stands, if the new version has the same step in the same place and what comes of it
  means the same.
* What has not begun follows the new version alone (``order``): it waits for what that says. A step that the new version
  adds before what has begun already is *passed by*: it is recorded as skipped.
* Nothing may begin before something that it reads and that the new version lets it wait for (``order``).

``folding`` is what the event ``instance.migrated`` does to the stored state, for a decision as for replay: rows of
steps that are gone go, those of renamed steps move, and what waits is counted anew by the new graph.
"""

from workflows_app.engine.migration.plan import Plan, plan
from workflows_app.engine.migration.standing import Standing

__all__ = ["Plan", "Standing", "plan"]
