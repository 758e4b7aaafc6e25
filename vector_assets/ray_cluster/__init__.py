"""A Ray cluster for trying on this machine, and questions to the nodes of any. Only this package knows Ray."""
