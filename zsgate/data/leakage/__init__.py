"""Whether a model saw a dataset in pretraining."""
