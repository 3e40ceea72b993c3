"""One run: candidate, baselines, reference and controls on its datasets, each made once."""
