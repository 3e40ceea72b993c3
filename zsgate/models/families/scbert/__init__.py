"""scBERT: a Performer over every gene of its list."""
