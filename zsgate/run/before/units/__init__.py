"""Units: pieces of a run that any process can do that shares its cache folder, done before its tests ask for them."""
