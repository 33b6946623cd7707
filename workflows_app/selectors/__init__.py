"""Read models for pages, commands and interfaces: what is shown, never what is decided.

- ``lists``: instances, filtered and paged;
- ``results``: one instance as commands print it;
- ``portions``: one instance as a page shows it, bounded whatever it holds;
- ``canvases``: what a definition compiles to;
- ``reports``: one instance in numbers;
- ``standing``: what keeps an instance from going on; ``standstill`` and ``waiting`` are its words;
- ``obstacles``: why instances are not moving, for any number of them at once; ``presence``: which workers are there;
- ``overview`` and ``attention``: the numbers of the dashboard, and the instances that somebody should look at;
- ``operations``: queues, what runs, holds;
- ``call_statistics``: what was called outside lately, and how it went;
- ``log_views``: what attempts said;
- ``figures``, ``step_figures``: how instances of a workflow went, and their steps; ``reused``: what caches saved;
- ``changes``: marks that tell that something has changed;
- ``machine_views``, ``section_views``, ``service_views``: state machines, ad-hoc sections, services.
"""
