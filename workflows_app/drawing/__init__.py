"""Pictures of workflows, computed without a browser and without Django.

- ``chart``: what there is to draw, as data: vertices and edges, with what the interfaces tell of them;
- ``flows``, ``state_machines``: the chart of a definition;
- ``scene``: which of it is drawn: blocks stay closed where there is too much of it, equal steps side by side are one;
- ``ranking``, ``spacing``, ``layout``: where everything stands: a layered drawing, after Sugiyama, Tagawa and Toda
  (1981), of every list of steps inside the block that it is written in;
- ``picture``: the whole of it, ready for a template, with the lane of undos beside it;
- ``timeline``: bars over time.

Nothing here knows an instance: its states are laid over a picture that is made once for a version.
"""
