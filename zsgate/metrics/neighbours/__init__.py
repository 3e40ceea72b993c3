"""All pairs of cells, exactly."""
