"""scVI trained on the dataset itself: the baseline, its training, and the encoder that it learnt."""
