"""Settings of this checkout only; everything a user needs is in zsgate.plugin.options."""
