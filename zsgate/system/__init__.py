"""What the machine offers: files, cache, network, processes."""
