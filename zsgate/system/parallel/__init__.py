"""Work that is done in parts: side by side in threads here, or by processes here and elsewhere."""
