"""Independent peers that judge the host from the outside. Nothing here imports the host's own code."""
