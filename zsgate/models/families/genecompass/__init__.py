"""GeneCompass."""
