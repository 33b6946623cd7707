"""Archives: finished instances are kept outside the database, whole, and can be read again.

An archive is one ZIP file for an instance that nobody called and for all that it called; any tool opens it. It holds

- ``manifest.json``: its format, and of each instance id, state, number of events and last hash of its chain;
- ``definitions/NAME-VERSION.json``: the published versions that they ran, as they are stored;
- ``ID/instance.json`` and, as lines, ``ID/steps.jsonl``, ``attempts``, ``effects``, ``artifacts``, ``loglines``: rows;
- ``ID/history.txt``: a line for each event: its hash, a space, and the text that the hash covers (docs/history.md).

It is named by its SHA-256 and by the instance at the top; contents of artifacts lie beside it, named by theirs. The
file is a function of the rows: written twice it is the same. ``places`` says where archives lie, by the same backends
as artifacts; ``writing`` makes one, ``reading`` opens one and trusts nothing in it before its hashes fit.
"""
