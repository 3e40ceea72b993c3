"""What ``zsgate NOUN VERB`` does, one noun a module; listed in :data:`zsgate.cli.NOUNS`."""
