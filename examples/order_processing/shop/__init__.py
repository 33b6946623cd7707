"""The shop: prices, payments, stock, parcels and confirmations behind HTTP, with books that can be checked.

Every POST carries an ``Idempotency-Key``. The first call with a key has the effect and stores its answer in the same
transaction; every other call with it, also one at the same moment, gets the stored answer. An undo may name what it
undoes by that key when the answer never arrived, and then also *voids* the key: a request that is still on its way
finds the key taken and has no effect. Orders carry their own troubles (see ``troubles``).

Modules: ``server`` (HTTP), ``routes`` (paths, body schemas), ``idempotency``, ``troubles``, ``pricing``, ``payments``,
``stock``, ``parcels`` (the effects), ``books`` (the rules that balance), ``database`` and ``schema.sql`` (the store).
"""
