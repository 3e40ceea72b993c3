"""The claims a candidate is held to, one file each."""
