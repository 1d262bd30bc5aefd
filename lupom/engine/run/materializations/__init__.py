"""One module for each way a node becomes a relation."""
