"""Gene2vec."""
