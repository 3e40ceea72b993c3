"""What becomes of rows where cells are changed: poorer in counts, or the same in another form."""
