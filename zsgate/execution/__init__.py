"""Where and how a trial runs: device, progress, distribution over workers."""
