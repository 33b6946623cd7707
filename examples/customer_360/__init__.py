"""Customer 360: all that is known of a customer, from many sources at once, whichever of them answer.

``workflow.yaml`` is the definition, ``sources`` the service that plays the sources and can be told to be slow or
broken. Nothing here imports the orchestrator.
"""
